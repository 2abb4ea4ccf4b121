/* The tables of rows as one map, and what a straight row does. Room: import. */
#include <string.h>

#include "import/tensorflow/importer.h"
#include "import/row.h"

#define HONE_TF_TABLE(name) extern const hone_tf_row hone_tf_##name[];
#include "import/tensorflow/tables.def"
#undef HONE_TF_TABLE

static const hone_tf_row *const tables[] = {
#define HONE_TF_TABLE(name) hone_tf_##name,
#include "import/tensorflow/tables.def"
#undef HONE_TF_TABLE
};

hone_status *tf_map_rows(tf_importer *importer) {
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const hone_tf_row *row = tables[i]; row->name; row++)
      HONE_TRY(hone_map_put(&importer->rows, row->name, strlen(row->name),
                            (void *)(uintptr_t)row));
  return NULL;
}

int tf_output_index(const hone_tf_row *row, hone_bytes name) {
  const char *at = row->outputs;
  for (int index = 0; *at; index++) {
    size_t size = strcspn(at, " ");
    if (tf_spans_equal(name, (hone_bytes){at, size})) return index;
    at += size + (at[size] == ' ');
  }
  return -1;
}

/* The operators whose one output is not called "output". */
static const struct {
  const char *name, *operators;
} outputs[] = {
#define HONE_TF_OUTPUT(name, operators) {#name, operators},
#include "import/tensorflow/outputs.def"
#undef HONE_TF_OUTPUT
};

static const char *only_output(const char *op) {
  size_t size = strlen(op);
  for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
    for (const char *at = outputs[i].operators; *at; at += strspn(at, " ")) {
      size_t here = strcspn(at, " ");
      if (here == size && memcmp(at, op, size) == 0) return outputs[i].name;
      at += here;
    }
  return "output";
}

int tf_output_name(const hone_tf_row *row, int output, const char **name, size_t *size) {
  if (row && row->outputs) {
    *name = row->outputs;
    for (int i = 0; i < output && **name; i++) {
      *name += strcspn(*name, " ");
      *name += **name == ' ';
    }
    *size = strcspn(*name, " ");
    return 0;
  }
  *name = row ? only_output(row->name) : "output";
  *size = strlen(*name);
  return output;
}

/* ---- Straight rows ---- */

static void set_given(hone_call *call, hone_node *node, const hone_setting *s, hone_attr_kind kind) {
  if (!hone_tf_has(call, s->from)) return;
  if (kind == HONE_ATTR_INT)
    hone_emit_set_int(call, node, s->to, hone_tf_int(call, s->from, 0));
  else if (kind == HONE_ATTR_FLAG)
    hone_emit_set_int(call, node, s->to, hone_tf_flag(call, s->from, false));
  else if (kind == HONE_ATTR_REAL)
    hone_emit_set_real(call, node, s->to, hone_tf_real(call, s->from, 0));
  else if (kind == HONE_ATTR_DTYPE)
    hone_emit_set_int(call, node, s->to, hone_tf_dtype(call, s->from, HONE_DTYPE_NONE));
  else
    hone_emit_fail(call, HONE_INTERNAL, "a straight row cannot set %s", s->to);
}

static void run_straight(tf_call *own) {
  hone_call *call = &own->base;
  const hone_tf_row *row = own->node->row;
  int inputs = own->input_count;
  hone_value **in = HONE_NEW_ARRAY(&own->importer->scratch, inputs + 1, hone_value *);
  if (!in) {
    hone_emit_keep(call, hone_error_memory());
    return;
  }
  for (int i = 0; i < inputs; i++) in[i] = hone_tf_in(call, i);
  hone_node *node = hone_emit_begin(call, row->op, in, inputs, 1);
  if (!node) return;
  hone_setting s;
  const char *at = row->attrs ? row->attrs : "";
  while ((at = hone_row_next(at, &s))) {
    hone_attr_kind kind = hone_row_kind(call, node, &s);
    if (*s.from)
      set_given(call, node, &s, kind);
    else
      hone_row_set(call, node, &s, kind);
  }
  hone_tf_return(call, 0, hone_emit_end(call, node));
}

hone_status *tf_run_row(tf_call *call) {
  if (call->node->row->import) return call->node->row->import(&call->base);
  run_straight(call);
  return NULL;
}
