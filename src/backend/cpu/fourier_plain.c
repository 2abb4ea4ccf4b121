/* Fourier transforms for plain C. Room: backend/cpu. */
#define FOURIER hone_fourier_plain
#include "backend/cpu/fourier_body.h"
