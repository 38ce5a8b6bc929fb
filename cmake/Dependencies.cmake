# Every library we stand on, found by pkg-config or CMake's own modules.
# README.md gives the reason for each.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
find_package(JPEG REQUIRED)

function(sy_pkg name module)
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
    add_library(${name}::${name} ALIAS PkgConfig::${name})
endfunction()

sy_pkg(jansson jansson)
sy_pkg(sodium libsodium)
sy_pkg(microhttpd libmicrohttpd)
sy_pkg(gnutls gnutls)
sy_pkg(curl libcurl)
sy_pkg(zip libzip)
sy_pkg(sqlite sqlite3)
sy_pkg(protobufc libprotobuf-c)
