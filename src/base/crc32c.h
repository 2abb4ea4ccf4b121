/* CRC-32C (Castagnoli), as in RFC 3720. Room: base. */
#ifndef HONE_BASE_CRC32C_H
#define HONE_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t hone_crc32c(const void *data, size_t size);

#endif
