# find_package(switchyard) gives the target switchyard::switchyard, whose
# libraries are those that pkg-config names.
include(CMakeFindDependencyMacro)
find_dependency(PkgConfig)
pkg_check_modules(switchyard REQUIRED IMPORTED_TARGET switchyard)
if(NOT TARGET switchyard::switchyard)
    add_library(switchyard::switchyard INTERFACE IMPORTED)
    target_link_libraries(switchyard::switchyard
                          INTERFACE PkgConfig::switchyard)
endif()
