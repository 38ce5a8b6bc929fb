# The page's files become C arrays: serving/web/NAME.html is srv_web_NAME.
function(sy_embed target name file)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(READ "${file}" hex HEX)
    string(LENGTH "${hex}" digits)
    math(EXPR bytes "${digits} / 2")
    string(REGEX REPLACE "(..)" "0x\\1," array "${hex}")
    string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n"
           array "${array}")
    file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/embedded/${name}.c" @ONLY
         CONTENT "#include \"serving/web/web.h\"\n
const unsigned char srv_web_${name}[] = {\n@array@};\n
const size_t srv_web_${name}_bytes = ${bytes};\n")
    target_sources(${target} PRIVATE
        "${CMAKE_BINARY_DIR}/embedded/${name}.c")
endfunction()

sy_embed(sy_serving index "${CMAKE_SOURCE_DIR}/serving/web/index.html")
