/* Snappy's raw format, as its format_description.txt gives it. Room: import. */
#ifndef HONE_IMPORT_TENSORFLOW_SNAPPY_H
#define HONE_IMPORT_TENSORFLOW_SNAPPY_H

#include <stdbool.h>
#include <stddef.h>

/* The size that `data` unpacks to; false when it does not say. */
bool tf_snappy_size(const unsigned char *data, size_t size, size_t *out);
/* Unpacks into `out`, which holds as many bytes as tf_snappy_size says; false when damaged. */
bool tf_snappy_unpack(const unsigned char *data, size_t size, unsigned char *out, size_t room);

#endif
