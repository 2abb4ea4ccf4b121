/* Straight rows: the attributes that they set. Room: import. */
#include "import/row.h"

#include <stdio.h>
#include <string.h>

#include "base/real.h"

const char *hone_row_next(const char *at, hone_setting *out) {
  while (*at == ' ') at++;
  if (!*at) return NULL;
  size_t size = strcspn(at, " "), name = strcspn(at, " <=");
  const char *rest = at + name + (name < size);
  int rest_size = (int)(at + size - rest);
  bool fixed = at[name] == '=';
  snprintf(out->to, sizeof out->to, "%.*s", (int)name, at);
  snprintf(out->value, sizeof out->value, "%.*s", fixed ? rest_size : 0, rest);
  snprintf(out->from, sizeof out->from, "%.*s", at[name] == '<' ? rest_size : (int)name,
           at[name] == '<' ? rest : at);
  if (fixed) out->from[0] = 0;
  return at + size;
}

hone_attr_kind hone_row_kind(hone_call *call, const hone_node *node, const hone_setting *s) {
  int index = hone_op_attr_index(node->op, s->to, strlen(s->to));
  if (index >= 0) return node->op->attrs[index].kind;
  hone_emit_fail(call, HONE_INTERNAL, "op %s has no attribute %s", node->op->name, s->to);
  return HONE_ATTR_NONE;
}

void hone_row_set(hone_call *call, hone_node *node, const hone_setting *s,
                  hone_attr_kind kind) {
  double real = 0;
  (void)hone_parse_real(s->value, &real);
  if (kind == HONE_ATTR_CHOICE || kind == HONE_ATTR_TEXT)
    hone_emit_set_text(call, node, s->to, s->value);
  else if (kind == HONE_ATTR_REAL)
    hone_emit_set_real(call, node, s->to, real);
  else if (kind == HONE_ATTR_FLAG)
    hone_emit_set_int(call, node, s->to, strcmp(s->value, "true") == 0);
  else if (kind == HONE_ATTR_DTYPE)
    hone_emit_set_int(call, node, s->to, hone_dtype_parse(s->value, strlen(s->value)));
  else
    hone_emit_set_int(call, node, s->to, (int64_t)real);
}
