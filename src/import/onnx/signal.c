/* Spectra, windows, n-grams. Room: import. */
#include <string.h>

#include "import/onnx/map.h"

/* The axis is an attribute up to opset 19, then an input. */
static hone_status *import_dft(hone_call *call) {
  hone_value *axis = hone_onnx_in(call, 2);
  if (hone_onnx_opset(call) < 20) axis = hone_emit_int(call, hone_onnx_int(call, "axis", 1));
  hone_node *node =
      HONE_EMIT_BEGIN(call, "dft", hone_onnx_need(call, 0), hone_onnx_in(call, 1), axis);
  hone_emit_set_int(call, node, "inverse", hone_onnx_flag(call, "inverse", false));
  hone_emit_set_int(call, node, "onesided", hone_onnx_flag(call, "onesided", false));
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_stft(hone_call *call) {
  hone_value *x = hone_onnx_need(call, 0);
  if (hone_emit_rank(call, x) == 2) /* a real signal may come without its last axis */
    x = HONE_EMIT(call, "unsqueeze", x, hone_emit_ints(call, (int64_t[]){-1}, 1));
  hone_node *node = HONE_EMIT_BEGIN(call, "stft", x, hone_onnx_need(call, 1), hone_onnx_in(call, 2),
                                    hone_onnx_in(call, 3));
  hone_emit_set_int(call, node, "onesided", hone_onnx_flag(call, "onesided", true));
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_window(hone_call *call, const char *kind) {
  hone_node *node = HONE_EMIT_BEGIN(call, "window", hone_onnx_need(call, 0));
  hone_emit_set_text(call, node, "kind", kind);
  hone_emit_set_int(call, node, "periodic", hone_onnx_flag(call, "periodic", true));
  hone_emit_set_int(call, node, "dtype", hone_onnx_dtype(call, "output_datatype", HONE_F32));
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static hone_status *import_hann(hone_call *call) {
  return import_window(call, "hann");
}
static hone_status *import_hamming(hone_call *call) {
  return import_window(call, "hamming");
}
static hone_status *import_blackman(hone_call *call) {
  return import_window(call, "blackman");
}

static hone_status *import_mel(hone_call *call) {
  hone_value *inputs[5];
  for (int i = 0; i < 5; i++) inputs[i] = hone_onnx_need(call, i);
  hone_node *node = hone_emit_begin(call, "mel_weight_matrix", inputs, 5, 1);
  hone_emit_set_int(call, node, "dtype", hone_onnx_dtype(call, "output_datatype", HONE_F32));
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

static void copy_ints(hone_call *call, hone_node *node, const char *attr, const char *from) {
  size_t count;
  const int64_t *values = hone_onnx_ints(call, from, &count);
  hone_emit_set_ints(call, node, attr, values, count);
}

/* The pool's strings as the attribute wants them, zero-terminated. */
static hone_status *copy_texts(hone_call *call, hone_node *node) {
  size_t count;
  const hone_string *texts = hone_onnx_strings(call, "pool_strings", &count);
  if (!node || !count) return NULL;
  const char **list = HONE_NEW_ARRAY(node->graph->arena, count, const char *);
  HONE_TRY_MEMORY(list);
  for (size_t i = 0; i < count; i++) {
    list[i] = hone_arena_text(node->graph->arena, texts[i].data, texts[i].size);
    HONE_TRY_MEMORY(list[i]);
  }
  return hone_node_set_texts(node, "pool_texts", list, count);
}

static hone_status *import_tf_idf(hone_call *call) {
  const char *mode = hone_onnx_text(call, "mode", "");
  const char *name = strcmp(mode, "TF") == 0      ? "tf"
                     : strcmp(mode, "IDF") == 0   ? "idf"
                     : strcmp(mode, "TFIDF") == 0 ? "tf_idf"
                                                  : NULL;
  if (!name) return hone_emit_fail(call, HONE_INVALID_MODEL, "mode is not TF, IDF or TFIDF");
  hone_node *node = HONE_EMIT_BEGIN(call, "tf_idf_vectorizer", hone_onnx_need(call, 0));
  hone_emit_set_text(call, node, "mode", name);
  hone_emit_set_int(call, node, "least", hone_onnx_int(call, "min_gram_length", 1));
  hone_emit_set_int(call, node, "most", hone_onnx_int(call, "max_gram_length", 1));
  hone_emit_set_int(call, node, "skip", hone_onnx_int(call, "max_skip_count", 0));
  copy_ints(call, node, "starts", "ngram_counts");
  copy_ints(call, node, "columns", "ngram_indexes");
  copy_ints(call, node, "pool_ints", "pool_int64s");
  HONE_TRY(copy_texts(call, node));
  size_t count;
  const double *weights = hone_onnx_reals(call, "weights", &count);
  hone_emit_set_reals(call, node, "weights", weights, count);
  hone_onnx_return(call, 0, hone_emit_end(call, node));
  return NULL;
}

const hone_onnx_row hone_onnx_signal[] = {{"", "DFT", 17, 0, .import = import_dft},
                                          {"", "STFT", 17, 0, .import = import_stft},
                                          {"", "HannWindow", 17, 0, .import = import_hann},
                                          {"", "HammingWindow", 17, 0, .import = import_hamming},
                                          {"", "BlackmanWindow", 17, 0, .import = import_blackman},
                                          {"", "MelWeightMatrix", 17, 0, .import = import_mel},
                                          {"", "TfIdfVectorizer", 9, 0, .import = import_tf_idf},
                                          {0}};
