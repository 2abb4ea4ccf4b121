/* Code for each size that elements are moved by. Room: backend/cpu/lines. */
#ifndef HONE_BACKEND_CPU_LINES_BY_ELEMENT_H
#define HONE_BACKEND_CPU_LINES_BY_ELEMENT_H

#include <stdint.h>

typedef struct hone_wide_element {
  uint64_t half[2];
} hone_wide_element;

/* CALL with the type of elements of so many bytes: 1, 2, 4, 8 or 16. */
#define HONE_BY_ELEMENT(element, CALL) \
  switch (element) {                   \
    case 1:                            \
      CALL(uint8_t);                   \
      break;                           \
    case 2:                            \
      CALL(uint16_t);                  \
      break;                           \
    case 4:                            \
      CALL(uint32_t);                  \
      break;                           \
    case 8:                            \
      CALL(uint64_t);                  \
      break;                           \
    default:                           \
      CALL(hone_wide_element);         \
      break;                           \
  }

#endif
