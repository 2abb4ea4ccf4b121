/* The tables of rows as one map, and what a straight row does. Room: import. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "import/onnx/importer.h"
#include "import/row.h"

#define HONE_ONNX_TABLE(name) extern const hone_onnx_row hone_onnx_##name[];
#include "import/onnx/tables.def"
#undef HONE_ONNX_TABLE

static const hone_onnx_row *const tables[] = {
#define HONE_ONNX_TABLE(name) hone_onnx_##name,
#include "import/onnx/tables.def"
#undef HONE_ONNX_TABLE
};

#define KEY_ROOM 160

static size_t row_key(char *key, hone_bytes domain, hone_bytes name) {
  if (onnx_span_is(domain, "ai.onnx")) domain.size = 0;
  if (domain.size + name.size + 1 > KEY_ROOM) return 0;
  if (domain.size) memcpy(key, domain.data, domain.size);
  key[domain.size] = ':';
  if (name.size) memcpy(key + domain.size + 1, name.data, name.size);
  return domain.size + 1 + name.size;
}

static hone_status *map_row(onnx_importer *importer, const hone_onnx_row *row) {
  char key[KEY_ROOM];
  size_t size = row_key(key, (hone_bytes){row->domain, strlen(row->domain)},
                        (hone_bytes){row->name, strlen(row->name)});
  onnx_mapped *mapped = HONE_NEW(&importer->scratch, onnx_mapped);
  HONE_TRY_MEMORY(mapped);
  *mapped = (onnx_mapped){row, hone_map_get(&importer->rows, key, size)};
  return hone_map_put(&importer->rows, key, size, mapped);
}

hone_status *onnx_map_rows(onnx_importer *importer) {
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    for (const hone_onnx_row *row = tables[i]; row->name; row++) HONE_TRY(map_row(importer, row));
  return NULL;
}

const hone_onnx_row *onnx_find_row(onnx_importer *importer, const onnx_node *node, int opset) {
  char key[KEY_ROOM];
  size_t size = row_key(key, node->domain, node->op);
  const onnx_mapped *mapped = size ? hone_map_get(&importer->rows, key, size) : NULL;
  for (; mapped; mapped = mapped->next)
    if (opset >= mapped->row->since && (!mapped->row->last || opset <= mapped->row->last))
      return mapped->row;
  return NULL;
}

static const struct {
  const char *domain, *name, *why;
} refused[] = {
#define HONE_ONNX_REFUSED(domain, name, why) {domain, name, why},
#include "import/onnx/refused.def"
#undef HONE_ONNX_REFUSED
};

const char *onnx_refusal(const onnx_node *node) {
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
    if (onnx_span_is(node->domain, refused[i].domain) && onnx_span_is(node->op, refused[i].name))
      return refused[i].why;
  return NULL;
}

/* ---- Straight rows ---- */

static void set_given(hone_call *call, hone_node *node, const hone_setting *s,
                      hone_attr_kind kind) {
  size_t count;
  if (!hone_onnx_has(call, s->from)) return;
  switch (kind) {
    case HONE_ATTR_INT:
      hone_emit_set_int(call, node, s->to, hone_onnx_int(call, s->from, 0));
      break;
    case HONE_ATTR_FLAG:
      hone_emit_set_int(call, node, s->to, hone_onnx_flag(call, s->from, false));
      break;
    case HONE_ATTR_REAL:
      hone_emit_set_real(call, node, s->to, hone_onnx_real(call, s->from, 0));
      break;
    case HONE_ATTR_TEXT:
    case HONE_ATTR_CHOICE:
      hone_emit_set_text(call, node, s->to, hone_onnx_text(call, s->from, ""));
      break;
    case HONE_ATTR_DTYPE:
      hone_emit_set_int(call, node, s->to, hone_onnx_dtype(call, s->from, HONE_DTYPE_NONE));
      break;
    case HONE_ATTR_INTS: {
      const int64_t *values = hone_onnx_ints(call, s->from, &count);
      hone_emit_set_ints(call, node, s->to, values, count);
      break;
    }
    case HONE_ATTR_REALS: {
      const double *values = hone_onnx_reals(call, s->from, &count);
      hone_emit_set_reals(call, node, s->to, values, count);
      break;
    }
    case HONE_ATTR_TEXTS: {
      const char *const *texts = hone_onnx_texts(call, s->from, &count);
      hone_emit_set_texts(call, node, s->to, texts, count);
      break;
    }
    case HONE_ATTR_NONE:
      hone_emit_fail(call, HONE_INTERNAL, "a straight row cannot set %s", s->to);
      break;
  }
}

/* An attribute that nobody reads would be dropped in silence: refused. */
static void refuse(hone_call *call, hone_bytes attr) {
  char name[60];
  hone_emit_fail(call, HONE_UNSUPPORTED, "attribute '%s' is not known here",
                 hone_quoted(name, sizeof name, attr.data ? attr.data : "", attr.size));
}

static void refuse_others(hone_call *call) {
  onnx_call *own = onnx_own(call);
  for (int i = 0; i < own->attr_count; i++) {
    hone_setting s;
    bool named = false;
    hone_bytes attr = own->attrs[i].name;
    const char *at = own->row->attrs ? own->row->attrs : "";
    while (!named && (at = hone_row_next(at, &s))) named = *s.from && onnx_span_is(attr, s.from);
    if (!named) refuse(call, attr);
  }
}

static void run_straight(hone_call *call) {
  onnx_call *own = onnx_own(call);
  const hone_onnx_row *row = own->row;
  refuse_others(call);
  hone_node *node = hone_emit_begin(call, row->op, own->in, own->input_count, own->output_count);
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
  hone_onnx_end_return(call, node);
}

hone_status *onnx_run_row(hone_call *call) {
  if (onnx_own(call)->row->import) return onnx_own(call)->row->import(call);
  run_straight(call);
  return NULL;
}

/* ---- Ops that users registered ---- */

const hone_op *onnx_find_user_op(const onnx_node *node) {
  char name[KEY_ROOM];
  size_t domain = node->domain.size, size = domain + 1 + node->op.size;
  if (!domain || !node->op.size || size > sizeof name) return NULL;
  memcpy(name, node->domain.data, domain);
  name[domain] = '/';
  memcpy(name + domain + 1, node->op.data, node->op.size);
  return hone_op_find(name, size);
}

hone_status *onnx_run_user_op(hone_call *call, const hone_op *op) {
  onnx_call *own = onnx_own(call);
  hone_node *node =
      hone_emit_begin(call, op->name, own->in, own->input_count, own->output_count);
  for (int i = 0; i < own->attr_count; i++) {
    hone_bytes name = own->attrs[i].name;
    int index = name.size ? hone_op_attr_index(op, name.data, name.size) : -1;
    hone_setting s = {.to = ""};
    if (index < 0) {
      refuse(call, name);
      break;
    }
    snprintf(s.to, sizeof s.to, "%s", op->attrs[index].name);
    snprintf(s.from, sizeof s.from, "%s", op->attrs[index].name);
    set_given(call, node, &s, op->attrs[index].kind);
  }
  hone_onnx_end_return(call, node);
  return NULL;
}
