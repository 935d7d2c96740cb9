#pragma once
#ifdef __linux__
// Settings of the allocator: Swift's Glibc module leaves this header out.
#include <malloc.h>
#endif
