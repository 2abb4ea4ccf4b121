/* byte_table: a function of one byte as a table of bytes: y = table[x], where the bits of a signed x
 * count as an unsigned index. Room: ops. */
#include "ops/byte_table.h"
#include "ops/operand.h"
#include "ops/ops.h"

static bool is_byte(hone_dtype dtype) {
  return dtype == HONE_U8 || dtype == HONE_S8;
}

static hone_status *byte_table_infer(hone_infer *infer) {
  hone_dtype from = infer->in[0]->dtype, to = hone_node_dtype(infer->node, "dtype");
  size_t count;
  const int64_t *table = hone_node_ints(infer->node, "table", &count);
  if ((from && !is_byte(from)) || !is_byte(to))
    return hone_infer_fail(infer, "from %s to %s", hone_dtype_name(from), hone_dtype_name(to));
  if (count != HONE_BYTE_TABLE) return hone_infer_fail(infer, "a table of %zu entries", count);
  for (size_t i = 0; i < count; i++)
    if (table[i] < (to == HONE_S8 ? -128 : 0) || table[i] > (to == HONE_S8 ? 127 : 255))
      return hone_infer_fail(infer, "entry %zu of its table is no %s", i, hone_dtype_name(to));
  infer->out[0] = hone_tensor_type(to, infer->in[0]->shape);
  return NULL;
}

void hone_byte_table(const hone_node *node, uint8_t *out) {
  size_t count;
  const int64_t *table = hone_node_ints(node, "table", &count);
  for (size_t i = 0; i < HONE_BYTE_TABLE; i++) out[i] = i < count ? (uint8_t)table[i] : 0;
}

static hone_status *byte_table_reference(hone_reference *ref) {
  uint8_t table[HONE_BYTE_TABLE], *y = ref->out[0]->data;
  const uint8_t *x = ref->in[0]->data;
  hone_byte_table(ref->node, table);
  size_t count = hone_datum_count(ref->out[0]);
  for (size_t i = 0; i < count; i++) y[i] = table[x[i]];
  return NULL;
}

const hone_op hone_op_byte_table = {
    .name = "byte_table",
    .inputs = "x",  /* u8 or s8 */
    .outputs = "y", /* of `dtype` */
    .attrs = {{"table", HONE_ATTR_INTS, NULL, NULL}, /* 256 of them */
              {"dtype", HONE_ATTR_DTYPE, "u8", NULL}},
    .facts = HONE_POINTWISE | HONE_FIXED_TYPES,
    .infer = byte_table_infer,
    .reference = byte_table_reference,
};
