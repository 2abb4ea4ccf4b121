/* Attributes in the text form. Room: ir. */
#include <string.h>

#include "ir/text.h"
#include "ir/text_parts.h"

/* The items of an INTS, REALS or TEXTS attribute: each takes eight bytes of `items`. */
static hone_status *parse_items(hone_lexer *lexer, hone_attr_kind kind, void **items,
                                size_t *count) {
  size_t room = 0;
  *count = 0;
  *items = NULL;
  HONE_TRY(hone_lexer_expect(lexer, '['));
  while (!hone_lexer_is(lexer, ']')) {
    if (*count) HONE_TRY(hone_lexer_expect(lexer, ','));
    if (*count == room) {
      void *old = *items;
      room = room ? room * 2 : 8;
      *items = hone_arena_array(lexer->arena, room, 8);
      HONE_TRY_MEMORY(*items);
      if (old) memcpy(*items, old, *count * 8);
    }
    if (kind == HONE_ATTR_INTS) {
      HONE_TRY(hone_lexer_int(lexer, (int64_t *)*items + *count));
    } else if (kind == HONE_ATTR_REALS) {
      HONE_TRY(hone_lexer_real(lexer, (double *)*items + *count));
    } else {
      HONE_TRY(hone_parse_name(lexer, (const char **)*items + *count));
    }
    ++*count;
  }
  return hone_lexer_next(lexer);
}

static hone_status *parse_flag(hone_lexer *lexer, int64_t *out) {
  *out = hone_lexer_is_word(lexer, "true");
  if (!*out && !hone_lexer_is_word(lexer, "false"))
    return hone_lexer_fail(lexer, "true or false is wanted here");
  return hone_lexer_next(lexer);
}

static hone_status *parse_attr_value(hone_lexer *lexer, hone_node *node, const hone_attr_def *def) {
  int64_t integer;
  double real;
  const char *text;
  hone_dtype dtype;
  void *items;
  size_t count;
  switch (def->kind) {
    case HONE_ATTR_INT:
      HONE_TRY(hone_lexer_int(lexer, &integer));
      return hone_node_set_int(node, def->name, integer);
    case HONE_ATTR_FLAG:
      HONE_TRY(parse_flag(lexer, &integer));
      return hone_node_set_int(node, def->name, integer);
    case HONE_ATTR_REAL:
      HONE_TRY(hone_lexer_real(lexer, &real));
      return hone_node_set_real(node, def->name, real);
    case HONE_ATTR_DTYPE:
      if (hone_lexer_is_word(lexer, hone_dtype_name(HONE_DTYPE_NONE))) {
        HONE_TRY(hone_lexer_next(lexer));
        return hone_node_set_int(node, def->name, HONE_DTYPE_NONE);
      }
      HONE_TRY(hone_parse_dtype(lexer, &dtype));
      return hone_node_set_int(node, def->name, dtype);
    case HONE_ATTR_TEXT:
    case HONE_ATTR_CHOICE:
      HONE_TRY(hone_parse_name(lexer, &text));
      return hone_node_set_text(node, def->name, text);
    default:
      break;
  }
  HONE_TRY(parse_items(lexer, def->kind, &items, &count));
  if (def->kind == HONE_ATTR_INTS) return hone_node_set_ints(node, def->name, items, count);
  if (def->kind == HONE_ATTR_REALS) return hone_node_set_reals(node, def->name, items, count);
  return hone_node_set_texts(node, def->name, items, count);
}

/* "name=value, …" up to its end. */
static hone_status *parse_attr_list(hone_lexer *lexer, hone_node *node,
                                    bool (*at_end)(const hone_lexer *)) {
  for (bool first = true; !at_end(lexer); first = false) {
    if (!first) HONE_TRY(hone_lexer_expect(lexer, ','));
    const hone_token *token = &lexer->token;
    int index = token->kind == HONE_TOKEN_WORD
                    ? hone_op_attr_index(node->op, token->text, token->size)
                    : -1;
    if (index < 0) return hone_lexer_fail(lexer, "%s has no such attribute", node->op->name);
    HONE_TRY(hone_lexer_next(lexer));
    HONE_TRY(hone_lexer_expect(lexer, '='));
    HONE_TRY(parse_attr_value(lexer, node, &node->op->attrs[index]));
  }
  return NULL;
}

static bool at_brace(const hone_lexer *lexer) {
  return hone_lexer_is(lexer, '}');
}
static bool at_text_end(const hone_lexer *lexer) {
  return lexer->token.kind == HONE_TOKEN_END;
}

hone_status *hone_parse_attrs(hone_lexer *lexer, hone_node *node) {
  bool more;
  HONE_TRY(hone_lexer_accept(lexer, '{', &more));
  if (!more) return NULL;
  HONE_TRY(parse_attr_list(lexer, node, at_brace));
  return hone_lexer_next(lexer);
}

hone_status *hone_attrs_parse(hone_node *node, const char *text) {
  hone_lexer lexer;
  hone_arena scratch = {0};
  hone_status *status = hone_lexer_start(&lexer, text, strlen(text), &scratch);
  if (!status) status = parse_attr_list(&lexer, node, at_text_end);
  hone_arena_free(&scratch);
  return hone_error_at(status, "attributes");
}
