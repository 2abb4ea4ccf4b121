/* Fourier transforms for plain C. Room: backend/cpu/lines. */
#define FOURIER hone_fourier_plain
#include "backend/cpu/lines/fourier_body.h"
