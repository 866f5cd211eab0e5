# The simulator: kernels as host code behind the CUDA driver's entry points.
set_source_files_properties(${kernel_files} PROPERTIES LANGUAGE CXX)
add_library(asni_cuda_simulator SHARED ${kernel_files})
target_include_directories(asni_cuda_simulator PRIVATE include)
target_compile_definitions(asni_cuda_simulator PRIVATE ASNI_SIMULATOR)
target_compile_features(asni_cuda_simulator PRIVATE cxx_std_20)
target_compile_options(asni_cuda_simulator PRIVATE -x c++ -O2 -Wall -Wextra -Werror -fvisibility=hidden)
set_target_properties(asni_cuda_simulator PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}" CXX_EXTENSIONS OFF)
