/* Giving free memory back to the system. Room: base. */
#ifndef HONE_BASE_TRIM_H
#define HONE_BASE_TRIM_H

/* What was freed stays with the C library's allocator otherwise: for after phases that hold much for a
 * while. Takes milliseconds. */
void hone_memory_trim(void);

#endif
