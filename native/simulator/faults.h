// Turns a machine fault in a kernel into an error of the launch.
#pragma once

namespace asni::sim {

// Once a process; faults outside kernels go to whoever handled them before (.NET does).
void install_fault_handler();

// Once a worker thread: a stack for the handler, and no other signals.
void prepare_thread_for_faults();

}  // namespace asni::sim
