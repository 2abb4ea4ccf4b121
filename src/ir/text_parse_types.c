/* Names and types in the text form. Room: ir. */
#include <string.h>

#include "ir/text.h"
#include "ir/text_parts.h"

hone_status *hone_parse_name(hone_lexer *lexer, const char **out) {
  hone_token_kind kind = lexer->token.kind;
  if (kind != HONE_TOKEN_WORD && kind != HONE_TOKEN_TEXT)
    return hone_lexer_fail(lexer, "a name is wanted here");
  *out = lexer->token.text;
  return hone_lexer_next(lexer);
}

static hone_status *parse_dim(hone_lexer *lexer, hone_graph *graph, hone_dim *out) {
  if (lexer->token.kind == HONE_TOKEN_NUMBER) {
    HONE_TRY(hone_lexer_int(lexer, out));
    return *out >= 0 ? NULL : hone_lexer_fail(lexer, "a size is never negative");
  }
  const char *name;
  HONE_TRY(hone_parse_name(lexer, &name));
  return hone_graph_symbol(graph, name, out);
}

static hone_status *parse_shape(hone_lexer *lexer, hone_graph *graph, hone_shape *shape) {
  bool more;
  *shape = hone_shape_unknown();
  HONE_TRY(hone_lexer_accept(lexer, '[', &more));
  if (!more) return NULL;
  shape->rank = 0;
  while (!hone_lexer_is(lexer, ']')) {
    if (shape->rank) HONE_TRY(hone_lexer_expect(lexer, ','));
    if (shape->rank == HONE_MAX_RANK)
      return hone_lexer_fail(lexer, "more than %d dimensions", HONE_MAX_RANK);
    HONE_TRY(parse_dim(lexer, graph, &shape->dim[shape->rank]));
    shape->rank++;
  }
  return hone_lexer_next(lexer);
}

hone_status *hone_parse_dtype(hone_lexer *lexer, hone_dtype *out) {
  bool unknown;
  HONE_TRY(hone_lexer_accept(lexer, '?', &unknown));
  *out = HONE_DTYPE_NONE;
  if (unknown) return NULL;
  if (lexer->token.kind == HONE_TOKEN_WORD)
    *out = hone_dtype_parse(lexer->token.text, lexer->token.size);
  if (*out == HONE_DTYPE_NONE) return hone_lexer_fail(lexer, "an element type is wanted here");
  return hone_lexer_next(lexer);
}

hone_status *hone_parse_type(hone_lexer *lexer, hone_graph *graph, hone_type *type,
                             hone_place *place) {
  *type = (hone_type){0};
  *place = HONE_PLACE_DEVICE;
  if (hone_lexer_is_word(lexer, "host")) {
    *place = HONE_PLACE_HOST;
    HONE_TRY(hone_lexer_next(lexer));
  }
  int closing = 0;
  if (hone_lexer_is_word(lexer, "opt")) {
    type->kind = HONE_KIND_OPTIONAL;
    HONE_TRY(hone_lexer_next(lexer));
    HONE_TRY(hone_lexer_expect(lexer, '('));
    closing++;
  }
  if (hone_lexer_is_word(lexer, "seq")) {
    if (closing)
      type->item = HONE_KIND_SEQUENCE;
    else
      type->kind = HONE_KIND_SEQUENCE;
    HONE_TRY(hone_lexer_next(lexer));
    HONE_TRY(hone_lexer_expect(lexer, '('));
    closing++;
  }
  HONE_TRY(hone_parse_dtype(lexer, &type->dtype));
  HONE_TRY(parse_shape(lexer, graph, &type->shape));
  while (closing--) HONE_TRY(hone_lexer_expect(lexer, ')'));
  return NULL;
}

static hone_status *parse_whole_type(hone_lexer *lexer, hone_graph *graph, hone_type *out) {
  hone_place place;
  HONE_TRY(hone_parse_type(lexer, graph, out, &place));
  if (lexer->token.kind != HONE_TOKEN_END)
    return hone_lexer_fail(lexer, "something stands after the type");
  return place ? hone_lexer_fail(lexer, "a place is not asked for here") : NULL;
}

hone_status *hone_type_parse(hone_graph *graph, const char *text, hone_type *out) {
  hone_lexer lexer;
  hone_arena scratch = {0};
  hone_status *status = hone_lexer_start(&lexer, text, strlen(text), &scratch);
  if (!status) status = parse_whole_type(&lexer, graph, out);
  hone_arena_free(&scratch);
  return hone_error_at(status, "type");
}
