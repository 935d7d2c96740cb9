#ifndef CALLOCATIONS_H
#define CALLOCATIONS_H

/// Heap blocks that the calling thread has asked for since it began; below zero where they are not counted, without glibc.
long allocations_of_thread(void);

#endif
