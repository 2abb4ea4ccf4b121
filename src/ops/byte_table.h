/* The table of a byte_table node. Room: ops. */
#ifndef HONE_OPS_BYTE_TABLE_H
#define HONE_OPS_BYTE_TABLE_H

#include "ir/op.h"

#define HONE_BYTE_TABLE 256

/* HONE_BYTE_TABLE bytes, by the bits of x. */
void hone_byte_table(const hone_node *node, uint8_t *out);

#endif
