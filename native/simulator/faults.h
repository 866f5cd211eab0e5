// Turns a machine fault in a kernel into an error of the launch.
#pragma once

#include <pthread.h>

namespace asni::sim {

// Once a process; faults outside kernels go to whoever handled them before (.NET does).
void install_fault_handler();

// Once a worker thread: a stack for the handler, and no other signals.
void prepare_thread_for_faults();

// Ends the kernel that runs on a worker thread, if one does, with a timeout.
void interrupt_kernel(pthread_t worker);

}  // namespace asni::sim
