# Files become C arrays: sy_embed(TARGET SYMBOL HEADER FILE) makes SYMBOL and
# SYMBOL_bytes, which HEADER declares, of FILE's bytes.
function(sy_embed target symbol header file)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
    file(READ "${file}" hex HEX)
    string(LENGTH "${hex}" digits)
    math(EXPR bytes "${digits} / 2")
    string(REGEX REPLACE "(..)" "0x\\1," array "${hex}")
    string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n"
           array "${array}")
    file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/embedded/${symbol}.c" @ONLY
         CONTENT "#include \"${header}\"\n
const unsigned char ${symbol}[] = {\n@array@};\n
const size_t ${symbol}_bytes = ${bytes};\n")
    target_sources(${target} PRIVATE
        "${CMAKE_BINARY_DIR}/embedded/${symbol}.c")
endfunction()

sy_embed(sy_serving srv_web_index serving/web/web.h
         "${CMAKE_SOURCE_DIR}/serving/web/index.html")
sy_embed(sy_serving srv_web_openapi serving/web/web.h
         "${CMAKE_SOURCE_DIR}/docs/openapi.json")
sy_embed(sy_search nas_report_page search/report/page.h
         "${CMAKE_SOURCE_DIR}/search/report/template.html")
