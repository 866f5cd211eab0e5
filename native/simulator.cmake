# The simulator: kernels as host code behind the CUDA driver's entry points.
find_package(Threads REQUIRED)
file(GLOB simulator_files CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/simulator/*.cpp")
file(GLOB wrong_kernel_files CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/simulator/tests/*.cu")

set(all_kernel_files ${kernel_files} ${test_kernel_files} ${wrong_kernel_files})
# Misaligned accesses and indices outside local arrays call handlers of the simulator's own (simulator/faults.cpp), and so does every access
# to memory (simulator/races.cpp); the sanitizers' libraries are not linked.
# Contraction into fused multiply-adds is as nvcc and clang do for the GPU.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Its warning of uninitialised variables is wrong often in instrumented code.
  set(sanitizer_options "--param=tsan-instrument-func-entry-exit=0;--param=tsan-distinguish-volatile=1;-Wno-maybe-uninitialized")
else()
  set(sanitizer_options "-mllvm;-tsan-instrument-func-entry-exit=0;-mllvm;-tsan-distinguish-volatile=1")
endif()
set_source_files_properties(${all_kernel_files} PROPERTIES LANGUAGE CXX
  COMPILE_OPTIONS "-x;c++;-fsanitize=alignment,bounds,thread;${sanitizer_options};-ffp-contract=fast")

add_library(asni_cuda_simulator SHARED ${all_kernel_files} ${simulator_files})
target_include_directories(asni_cuda_simulator PRIVATE include simulator)
target_compile_definitions(asni_cuda_simulator PRIVATE ASNI_SIMULATOR)
target_compile_features(asni_cuda_simulator PRIVATE cxx_std_20)
# Fortified longjmp takes a jump between stacks for an attack.
target_compile_options(asni_cuda_simulator PRIVATE -O2 -Wall -Wextra -Werror -fvisibility=hidden -U_FORTIFY_SOURCE)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  # Without it every fused multiply-add is a call.
  target_compile_options(asni_cuda_simulator PRIVATE -march=x86-64-v3)
endif()
target_link_libraries(asni_cuda_simulator PRIVATE Threads::Threads)
target_link_options(asni_cuda_simulator PRIVATE -Wl,-z,defs)
set_target_properties(asni_cuda_simulator PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}" CXX_EXTENSIONS OFF)
