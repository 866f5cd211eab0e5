# Checks one PTX file as text, which is all that a machine without ptxas can check:
#   cmake -DPTX=file -DARCHITECTURE=sm_80 -DMINIMUM_VERSION=8.0 -DALLOW_LOCAL=list -P check-ptx.cmake
cmake_minimum_required(VERSION 3.24)
file(READ "${PTX}" text)

if(NOT text MATCHES "\n\\.version ([0-9]+\\.[0-9]+)" OR CMAKE_MATCH_1 VERSION_LESS MINIMUM_VERSION)
  message(FATAL_ERROR "${PTX}: .version is '${CMAKE_MATCH_1}', expected ${MINIMUM_VERSION} or newer")
endif()
if(NOT text MATCHES "\n\\.target ${ARCHITECTURE}[ ,\n]")
  message(FATAL_ERROR "${PTX}: .target ${ARCHITECTURE} is missing")
endif()
if(NOT text MATCHES "\\.entry ")
  message(FATAL_ERROR "${PTX}: there is no kernel in it")
endif()
# A call to a function that no module defines fails only when the driver links it.
if(text MATCHES "\n\\.extern \\.func[^;]*")
  message(FATAL_ERROR "${PTX}: it calls a function that is defined nowhere: ${CMAKE_MATCH_0}")
endif()

# Local memory is an array that did not fit in registers, mostly by an index known only at run time, and is as slow as global memory.
file(STRINGS "${ALLOW_LOCAL}" allowed REGEX "^[A-Za-z_]")
string(REPLACE ";" " " text "${text}")
string(REGEX REPLACE "\\.entry " ";" kernels "${text}")
list(POP_FRONT kernels)
foreach(kernel IN LISTS kernels)
  string(REGEX MATCH "^[A-Za-z0-9_]+" name "${kernel}")
  if(kernel MATCHES "\\.local |__local_depot" AND NOT name IN_LIST allowed)
    message(FATAL_ERROR "${PTX}: kernel ${name} uses local memory; index its arrays by constants (unroll), "
      "or name it in native/allow-local-memory.txt if it must")
  endif()
endforeach()
