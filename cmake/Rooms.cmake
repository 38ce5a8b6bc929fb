# sy_room(NAME): the static library sy_NAME from NAME/**.c. Kernels are
# compiled once per instruction set and have their own file, Kernels.cmake.
function(sy_room name)
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${name}/*.c)
    list(FILTER sources EXCLUDE REGEX "/runtime/cpu/kernels/")
    add_library(sy_${name} STATIC ${sources})
    target_link_libraries(sy_${name} PRIVATE sy_options)
    target_include_directories(sy_${name} PUBLIC "${CMAKE_SOURCE_DIR}")
endfunction()
