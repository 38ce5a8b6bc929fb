# Warnings, sanitizers and the rules that keep results reproducible.
#
# -ffp-contract=off everywhere but in the kernels, -ffast-math nowhere: the
# references must mean what they say.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

add_library(sy_options INTERFACE)
target_include_directories(sy_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(sy_options INTERFACE
    _GNU_SOURCE _FILE_OFFSET_BITS=64 SY_VERSION="${PROJECT_VERSION}")
# What comes through sy_options stands behind a target's own options and wins:
# the kernels must not get it, or they would multiply and add in two steps.
target_compile_options(sy_options INTERFACE
    $<$<NOT:$<BOOL:$<TARGET_PROPERTY:SY_KERNELS>>>:-ffp-contract=off>
    -fno-math-errno
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
    -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wcast-qual
    -Wformat=2 -Wswitch-enum
    $<$<BOOL:${SY_WERROR}>:-Werror>)
if(SY_SANITIZE)
    target_compile_options(sy_options INTERFACE
        -fsanitize=${SY_SANITIZE} -fno-omit-frame-pointer
        # Instrumented code hides from GCC what bounds a number or a flow.
        -Wno-error=format-truncation -Wno-error=maybe-uninitialized
        $<$<BOOL:$<TARGET_PROPERTY:SY_KERNELS>>:-fno-sanitize=undefined>)
    target_link_options(sy_options INTERFACE -fsanitize=${SY_SANITIZE})
endif()
if(SY_FUZZ)
    target_compile_options(sy_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Check's macros do not pass -Wconversion and friends: tests have fewer.
add_library(sy_test_options INTERFACE)
target_include_directories(sy_test_options INTERFACE "${CMAKE_SOURCE_DIR}")
target_compile_definitions(sy_test_options INTERFACE
    _GNU_SOURCE SY_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
target_compile_options(sy_test_options INTERFACE
    -ffp-contract=off -Wall -Wextra -Wshadow
    $<$<BOOL:${SY_WERROR}>:-Werror>)
if(SY_SANITIZE)
    target_compile_options(sy_test_options INTERFACE
        -fsanitize=${SY_SANITIZE} -fno-omit-frame-pointer
        -Wno-error=format-truncation -Wno-error=maybe-uninitialized)
    target_link_options(sy_test_options INTERFACE -fsanitize=${SY_SANITIZE})
endif()
