# One custom command a kernel file and architecture. nvcc writes the PTX version of its own release and clang the one asked for.
set(ptx_directory "${CMAKE_BINARY_DIR}/ptx")
file(MAKE_DIRECTORY "${ptx_directory}/tests")
string(REPLACE "." "" ptx_feature "${ASNI_PTX_VERSION}")

# Where NVIDIA's assembler is (in a toolkit, or fetched by eng/ptxas.sh), all PTX goes through it: only it looks inside inline assembly. Releases before
# 12.0 know no PTX 8.0.
get_filename_component(compiler_directory "${ASNI_CUDA_COMPILER_PATH}" DIRECTORY)
find_program(ASNI_PTXAS ptxas HINTS "${compiler_directory}" ENV CUDA_HOME ENV CUDA_PATH
  PATHS /usr/local/cuda "$ENV{XDG_CACHE_HOME}/asni/cuda" "$ENV{HOME}/.cache/asni/cuda" PATH_SUFFIXES bin)
set(assembles FALSE)
if(ASNI_PTXAS)
  execute_process(COMMAND "${ASNI_PTXAS}" --version OUTPUT_VARIABLE banner ERROR_QUIET)
  if(banner MATCHES "release ([0-9.]+)" AND CMAKE_MATCH_1 VERSION_GREATER_EQUAL 12.0)
    set(assembles TRUE)
    message(STATUS "PTX is assembled by ${ASNI_PTXAS} (${CMAKE_MATCH_1}) as a check")
    # The list of spills was made with ptxas 12.4 and clang 19.
    set(spills WARNING)
    if(CMAKE_MATCH_1 VERSION_EQUAL 12.4 AND ASNI_CUDA_COMPILER_PATH MATCHES "clang(\\+\\+)?-19$")
      set(spills FATAL_ERROR)
    endif()
  endif()
endif()

set(ptx_files "")
foreach(source IN LISTS kernel_files test_kernel_files)
  get_filename_component(name "${source}" NAME_WE)
  if(source IN_LIST test_kernel_files)
    set(name "tests/${name}")
  endif()
  foreach(architecture IN LISTS ASNI_PTX_ARCHITECTURES)
    # NAME.sm_90a.cu is for that architecture alone.
    if(source MATCHES "\\.(sm_[0-9]+a?)\\.cu$" AND NOT CMAKE_MATCH_1 STREQUAL architecture)
      continue()
    endif()
    set(output "${ptx_directory}/${name}.${architecture}.ptx")
    if(ASNI_CUDA_COMPILER_KIND STREQUAL "NVCC")
      string(REPLACE "sm_" "compute_" virtual "${architecture}")
      set(command "${ASNI_CUDA_COMPILER_PATH}" -ptx "-arch=${virtual}" -O3 -std=c++20 -Werror all-warnings)
    else()
      set(command "${ASNI_CUDA_COMPILER_PATH}" -x cuda --cuda-device-only -nocudainc -nocudalib -S -O3 -std=c++20
        "--cuda-gpu-arch=${architecture}" -Xclang -target-feature -Xclang "+ptx${ptx_feature}" -Wall -Wextra -Werror)
    endif()
    # What each kernel takes, beside the PTX; where nobody assembles it, figures of an earlier build go.
    set(registers "${ptx_directory}/${name}.${architecture}.registers")
    set(assemble COMMAND "${CMAKE_COMMAND}" -E rm -f "${registers}")
    if(assembles)
      set(assemble COMMAND "${CMAKE_COMMAND}" "-DPTXAS=${ASNI_PTXAS}" "-DPTX=${output}.unchecked" "-DARCHITECTURE=${architecture}"
        "-DALLOW_LOCAL=${CMAKE_CURRENT_SOURCE_DIR}/allow-local-memory.txt" "-DREGISTERS=${registers}" "-DSPILLS=${spills}" -P "${CMAKE_CURRENT_SOURCE_DIR}/assemble.cmake")
    endif()
    # Written aside first, so that a file that failed its checks is never taken for a good one.
    add_custom_command(OUTPUT "${output}"
      COMMAND ${command} "-I${CMAKE_CURRENT_SOURCE_DIR}/include" -o "${output}.unchecked" "${source}"
      COMMAND "${CMAKE_COMMAND}" "-DPTX=${output}.unchecked" "-DARCHITECTURE=${architecture}"
        "-DMINIMUM_VERSION=${ASNI_PTX_VERSION}" "-DALLOW_LOCAL=${CMAKE_CURRENT_SOURCE_DIR}/allow-local-memory.txt"
        -P "${CMAKE_CURRENT_SOURCE_DIR}/check-ptx.cmake"
      ${assemble}
      COMMAND "${CMAKE_COMMAND}" -E rename "${output}.unchecked" "${output}"
      DEPENDS "${source}" ${header_files} "${CMAKE_CURRENT_SOURCE_DIR}/check-ptx.cmake" "${CMAKE_CURRENT_SOURCE_DIR}/assemble.cmake"
        "${CMAKE_CURRENT_SOURCE_DIR}/allow-local-memory.txt"
      COMMENT "PTX ${name} ${architecture}"
      VERBATIM)
    list(APPEND ptx_files "${output}")
  endforeach()
endforeach()
add_custom_target(ptx ALL DEPENDS ${ptx_files})

# A PTX whose kernel file is gone would still be embedded.
file(GLOB present_files "${ptx_directory}/*.ptx" "${ptx_directory}/tests/*.ptx" "${ptx_directory}/*.registers" "${ptx_directory}/tests/*.registers")
foreach(file IN LISTS present_files)
  string(REGEX REPLACE "registers$" "ptx" ptx_file "${file}")
  if(NOT ptx_file IN_LIST ptx_files)
    file(REMOVE "${file}")
  endif()
endforeach()
