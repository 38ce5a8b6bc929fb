# The CPU kernels are one source, compiled once per instruction set: SY_ISA
# becomes part of every exported name, and the best set that the machine has
# is chosen at run time (runtime/cpu/backend.c). Contraction is on here: a
# multiply-add is one rounding wherever the instruction set has it. Under a
# sanitizer -O3 would take minutes a file and show nothing more; neither would
# the undefined-behaviour checks, whose cost multiplies with the unrolling.
file(GLOB kernel_sources CONFIGURE_DEPENDS runtime/cpu/kernels/*.c)

set(kernel_level -O3)
if(SY_SANITIZE)
    set(kernel_level -O1 -DSY_SMALL_TILES)
endif()

function(sy_kernels isa)
    if(NOT kernel_sources)
        return()
    endif()
    add_library(sy_kernels_${isa} OBJECT ${kernel_sources})
    target_link_libraries(sy_kernels_${isa} PRIVATE sy_options)
    set_target_properties(sy_kernels_${isa} PROPERTIES SY_KERNELS ON)
    target_compile_definitions(sy_kernels_${isa} PRIVATE SY_ISA=${isa})
    target_compile_options(sy_kernels_${isa} PRIVATE
        ${kernel_level} -ffp-contract=fast -Wno-psabi ${ARGN})
    target_sources(sy_runtime PRIVATE $<TARGET_OBJECTS:sy_kernels_${isa}>)
endfunction()

sy_kernels(portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    sy_kernels(avx2 -mavx2 -mfma -mf16c)
    sy_kernels(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2
               -mfma -mf16c -mprefer-vector-width=512)
    target_compile_definitions(sy_runtime PRIVATE SY_HAVE_X86_KERNELS=1)
endif()
