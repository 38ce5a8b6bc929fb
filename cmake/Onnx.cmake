# The ONNX messages are C that protoc-c makes from runtime/onnx/onnx.proto.
# Generated code has its own target without our warnings; who includes
# "runtime/onnx/onnx.pb-c.h" finds it under the build folder.
find_program(SY_PROTOC_C protoc-c REQUIRED)

set(onnx_generated "${CMAKE_BINARY_DIR}/generated")
set(onnx_source "${onnx_generated}/runtime/onnx/onnx.pb-c.c")
set(onnx_header "${onnx_generated}/runtime/onnx/onnx.pb-c.h")
file(MAKE_DIRECTORY "${onnx_generated}")

add_custom_command(
    OUTPUT "${onnx_source}" "${onnx_header}"
    COMMAND "${SY_PROTOC_C}" "--proto_path=${CMAKE_SOURCE_DIR}"
            "--c_out=${onnx_generated}"
            "${CMAKE_SOURCE_DIR}/runtime/onnx/onnx.proto"
    DEPENDS "${CMAKE_SOURCE_DIR}/runtime/onnx/onnx.proto"
    COMMENT "Generating the ONNX messages"
    VERBATIM)

add_library(sy_onnx_messages OBJECT "${onnx_source}" "${onnx_header}")
target_compile_options(sy_onnx_messages PRIVATE -w)
target_include_directories(sy_onnx_messages PRIVATE "${onnx_generated}")
target_link_libraries(sy_onnx_messages PRIVATE protobufc::protobufc)

target_sources(sy_runtime PRIVATE $<TARGET_OBJECTS:sy_onnx_messages>)
target_include_directories(sy_runtime SYSTEM PUBLIC "${onnx_generated}")
target_link_libraries(sy_runtime PUBLIC protobufc::protobufc)
