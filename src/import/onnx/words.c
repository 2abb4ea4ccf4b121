/* Operators on strings. Room: import. */
#include <string.h>

#include "import/onnx/map.h"

static hone_status *import_split(hone_call *call) {
  hone_node *node =
      hone_emit_begin(call, "string_split", (hone_value *const[]){hone_onnx_need(call, 0)}, 1,
                      hone_onnx_output_count(call));
  hone_emit_set_text(call, node, "delimiter", hone_onnx_text(call, "delimiter", ""));
  hone_emit_set_int(call, node, "most", hone_onnx_int(call, "maxsplit", -1));
  hone_onnx_end_return(call, node);
  return NULL;
}

static hone_status *import_normalizer(hone_call *call) {
  static const char *const cases[][2] = {{"NONE", "none"}, {"LOWER", "lower"}, {"UPPER", "upper"}};
  const char *action = hone_onnx_text(call, "case_change_action", "NONE"), *wanted = NULL;
  size_t count;
  const char *const *stops = hone_onnx_texts(call, "stopwords", &count);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (strcmp(action, cases[i][0]) == 0) wanted = cases[i][1];
  if (!wanted)
    return hone_emit_fail(call, HONE_INVALID_MODEL,
                          "case_change_action is none of NONE, LOWER, UPPER");
  hone_node *node = HONE_EMIT_BEGIN(call, "string_normalize", hone_onnx_need(call, 0));
  hone_emit_set_text(call, node, "case", wanted);
  hone_emit_set_int(call, node, "case_sensitive", hone_onnx_flag(call, "is_case_sensitive", false));
  hone_emit_set_texts(call, node, "stopwords", stops, count);
  hone_onnx_end_return(call, node);
  return NULL;
}

const hone_onnx_row hone_onnx_words[] = {
    {"", "StringConcat", 20, 0, "string_concat"},
    {"", "StringSplit", 20, 0, .import = import_split},
    {"", "StringNormalizer", 10, 0, .import = import_normalizer},
    {"", "RegexFullMatch", 20, 0, "regex_match", "pattern"},
    {0},
};
