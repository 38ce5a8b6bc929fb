# What is installed, and the packages made of it:
#   switchyard          program, manual pages, systemd unit, configuration
#   libswitchyard-dev   the runtime as a static library, headers, CMake and
#                       pkg-config files
# `cpack --config build/PRESET/CPackConfig.cmake` writes them; docs/packaging.md
# says more. The library is static because its interface still moves: a shared
# one would promise an ABI.
# Installing takes what has been built, and does not build the tests first.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
set(etc "${CMAKE_INSTALL_SYSCONFDIR}")
if(CMAKE_INSTALL_PREFIX MATCHES "^/usr(/local)?$")
    set(etc /etc)
endif()

install(TARGETS switchyard COMPONENT server)
install(FILES packaging/server.json DESTINATION "${etc}/switchyard"
        COMPONENT server)
install(FILES packaging/switchyard.service packaging/switchyard.socket
        DESTINATION lib/systemd/system COMPONENT server)
install(FILES packaging/switchyard.sysusers DESTINATION lib/sysusers.d
        RENAME switchyard.conf COMPONENT server)
install(FILES packaging/switchyard.tmpfiles DESTINATION lib/tmpfiles.d
        RENAME switchyard.conf COMPONENT server)
install(FILES docs/http.md docs/serve.md docs/packaging.md README.md
        DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT server)
install(DIRECTORY packaging/proxy packaging/kubernetes
        DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples" COMPONENT server)

# A page for each command, printed by the program itself.
file(GLOB commands RELATIVE "${CMAKE_SOURCE_DIR}/cli" CONFIGURE_DEPENDS
     cli/cmd_*.c)
set(man_folder "${CMAKE_BINARY_DIR}/man")
foreach(file ${commands})
    string(REGEX REPLACE "^cmd_(.*)\\.c$" "\\1" command "${file}")
    set(page "${man_folder}/switchyard-${command}.1")
    install(CODE "
        file(MAKE_DIRECTORY \"${man_folder}\")
        execute_process(COMMAND \"$<TARGET_FILE:switchyard>\" help ${command} --man
                        OUTPUT_FILE \"${page}\" COMMAND_ERROR_IS_FATAL ANY)"
            COMPONENT server)
    install(FILES "${page}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1"
            COMPONENT server)
endforeach()

install(FILES "$<TARGET_FILE:sy_runtime>" RENAME libswitchyard.a
        DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT dev)
install(DIRECTORY runtime DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/switchyard"
        COMPONENT dev FILES_MATCHING PATTERN "*.h" PATTERN kernels EXCLUDE)
file(RELATIVE_PATH pc_prefix "/p/${CMAKE_INSTALL_LIBDIR}/pkgconfig" /p)
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
configure_file(packaging/switchyard.pc.in switchyard.pc @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/switchyard.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT dev)
install(FILES packaging/switchyardConfig.cmake
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/switchyard" COMPONENT dev)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME switchyard)
set(CPACK_PACKAGE_CONTACT "Switchyard maintainers <maintainers@switchyard.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL server dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${CPACK_PACKAGE_CONTACT}")

set(CPACK_DEBIAN_SERVER_PACKAGE_NAME switchyard)
set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION net)
set(CPACK_DEBIAN_SERVER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_SERVER_PACKAGE_RECOMMENDS libopenblas0-pthread)
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_SERVER_DESCRIPTION
    "One network for many vision domains, and an HTTP server that computes for
each request only the blocks that it needs.")
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA
    "${CMAKE_SOURCE_DIR}/packaging/debian/conffiles"
    "${CMAKE_SOURCE_DIR}/packaging/debian/postinst"
    "${CMAKE_SOURCE_DIR}/packaging/debian/prerm"
    "${CMAKE_SOURCE_DIR}/packaging/debian/postrm")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libswitchyard-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
    "libjansson-dev, libsodium-dev, libprotobuf-c-dev")
set(CPACK_DEBIAN_DEV_DESCRIPTION
    "The runtime for C programs: static library, headers, and files for CMake
and pkg-config.")
include(CPack)
