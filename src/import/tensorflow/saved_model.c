/* Opening a SavedModel: its graph by tags, its inputs and outputs by signature. Room: import. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "import/tensorflow/importer.h"

#define BUNDLE "variables/variables"

/* ---- Choosing ---- */

/* Whether the meta graph's tags are exactly those of a comma list. */
static hone_status *has_tags(tf_importer *importer, const tf_meta_graph *meta, const char *tags,
                             bool *out) {
  hone_proto_list list = {0};
  size_t wanted = 0;
  *out = true;
  if (meta->info.data) HONE_TRY(tf_read_list(&importer->reader, meta->info, 4, &list));
  for (const char *at = tags; *at; wanted++) {
    size_t size = strcspn(at, ",");
    bool found = false;
    for (size_t i = 0; i < list.count && !found; i++)
      found = tf_spans_equal(list.items[i], (hone_bytes){at, size});
    *out &= found;
    at += size + (at[size] == ',');
  }
  *out &= wanted == list.count;
  return NULL;
}

static hone_status *find_meta_graph(tf_importer *importer, const tf_saved_model *model,
                                    const char *tags, tf_meta_graph *out) {
  char shown[80];
  for (size_t i = 0; i < model->meta_graphs.count; i++) {
    bool found;
    HONE_TRY(tf_read_meta_graph(&importer->reader, model->meta_graphs.items[i], out));
    HONE_TRY(has_tags(importer, out, tags, &found));
    if (found) return NULL;
  }
  return hone_error(HONE_INVALID_MODEL, "none of its %zu graphs has the tags '%s'",
                    model->meta_graphs.count,
                    hone_quoted(shown, sizeof shown, tags, strlen(tags)));
}

/* What initialises tables has a signature of its own, which is none to serve. */
static bool is_served(hone_bytes name) { return !tf_span_is(name, "__saved_model_init_op"); }

static hone_status *no_signature(tf_importer *importer, const tf_meta_graph *meta,
                                 const char *wanted) {
  hone_text names = {0};
  char shown[80];
  hone_status *status = NULL;
  for (size_t i = 0; i < meta->signatures.count && !status; i++) {
    tf_entry entry;
    status = tf_read_entry(&importer->reader, meta->signatures.items[i], &entry);
    if (!status && is_served(entry.key))
      hone_text_printf(&names, "%s'%s'", names.size ? ", " : "",
                       hone_quoted(shown, sizeof shown, entry.key.data, entry.key.size));
  }
  if (!status)
    status =
      hone_error(HONE_INVALID_ARGUMENT, "it has no signature '%s'; it has %s",
                 hone_quoted(shown, sizeof shown, wanted, strlen(wanted)),
                 names.size ? names.data : "none");
  hone_text_free(&names);
  return status;
}

/* The signature of this name; where none is asked for, serving_default or the only one. */
static hone_status *find_signature(tf_importer *importer, const tf_meta_graph *meta,
                                   const char *name, tf_signature_def *out) {
  const char *wanted = *name ? name : "serving_default";
  hone_bytes only = {0};
  size_t served = 0;
  for (size_t i = 0; i < meta->signatures.count; i++) {
    tf_entry entry;
    HONE_TRY(tf_read_entry(&importer->reader, meta->signatures.items[i], &entry));
    if (tf_span_is(entry.key, wanted))
      return tf_read_signature_def(&importer->reader, entry.value, out);
    if (is_served(entry.key)) {
      only = entry.value;
      served++;
    }
  }
  if (!*name && served == 1) return tf_read_signature_def(&importer->reader, only, out);
  return no_signature(importer, meta, wanted);
}

/* ---- Inputs and outputs ---- */

/* A port of the signature. */
typedef struct port {
  hone_bytes key;
  tf_tensor_info info;
  tf_edge edge;
} port;

static int by_key(const void *a, const void *b) {
  const port *left = a, *right = b;
  size_t size = left->key.size < right->key.size ? left->key.size : right->key.size;
  int order = size ? memcmp(left->key.data, right->key.data, size) : 0;
  return order ? order : (left->key.size > right->key.size) - (left->key.size < right->key.size);
}

/* The ports of one side in the order of their names, as TensorFlow has them. */
static hone_status *read_ports(tf_importer *importer, const tf_body *body,
                               const hone_proto_list *list, port **out) {
  *out = HONE_NEW_ARRAY(&importer->scratch, list->count + 1, port);
  HONE_TRY_MEMORY(*out);
  for (size_t i = 0; i < list->count; i++) {
    tf_entry entry;
    char shown[80];
    HONE_TRY(tf_read_entry(&importer->reader, list->items[i], &entry));
    (*out)[i].key = entry.key.size ? entry.key : (hone_bytes){"", 0};
    HONE_TRY(tf_read_tensor_info(&importer->reader, entry.value, &(*out)[i].info));
    HONE_TRY(hone_error_at(tf_parse_edge(body, (*out)[i].info.name, &(*out)[i].edge),
                           "'%s' of the signature",
                           hone_quoted(shown, sizeof shown, (*out)[i].key.data,
                                       (*out)[i].key.size)));
  }
  qsort(*out, list->count, sizeof **out, by_key);
  return NULL;
}

/* Sizes that the user gives replace the signature's. */
static void override_shape(const tf_port *ports, size_t count, const char *name,
                                   hone_shape *shape) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(ports[i].edge, name) == 0 && ports[i].has_shape) *shape = ports[i].shape;
}

static hone_status *add_inputs(tf_scope *scope, const port *ports, size_t count) {
  tf_importer *importer = scope->importer;
  tf_port *given;
  size_t given_count;
  HONE_TRY(tf_parse_ports(importer, importer->source->inputs, &given, &given_count));
  for (size_t i = 0; i < count; i++) {
    hone_type type = hone_tensor_type(
        hone_tf_dtype_of((int64_t)hone_proto_varint(ports[i].info.dtype)), hone_shape_unknown());
    const char *name = tf_text(importer, ports[i].key);
    HONE_TRY_MEMORY(name);
    if (ports[i].info.shape.data)
      HONE_TRY(tf_read_shape(importer, ports[i].info.shape, &type.shape));
    override_shape(given, given_count, name, &type.shape);
    HONE_TRY(tf_add_input(scope, ports[i].edge, name, type));
  }
  return NULL;
}

/* All of the signature's outputs, or those that the user names. */
static bool is_wanted(const tf_port *wanted, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(wanted[i].edge, name) == 0) return true;
  return count == 0;
}

static hone_status *convert_signature(tf_importer *importer, const tf_body *body,
                                      const tf_signature_def *signature) {
  tf_scope scope;
  port *inputs, *outputs;
  tf_port *wanted;
  size_t wanted_count;
  HONE_TRY(tf_parse_ports(importer, importer->source->outputs, &wanted, &wanted_count));
  HONE_TRY(tf_scope_open(&scope, importer, body, importer->root));
  HONE_TRY(read_ports(importer, body, &signature->inputs, &inputs));
  HONE_TRY(read_ports(importer, body, &signature->outputs, &outputs));
  HONE_TRY(add_inputs(&scope, inputs, signature->inputs.count));
  for (size_t i = 0; i < signature->outputs.count; i++) {
    const char *name = tf_text(importer, outputs[i].key);
    HONE_TRY_MEMORY(name);
    if (is_wanted(wanted, wanted_count, name))
      HONE_TRY(tf_add_output(&scope, outputs[i].edge, name));
  }
  if (!importer->root->output_count)
    return hone_error(HONE_INVALID_ARGUMENT, "the signature gives none of the outputs wanted");
  return NULL;
}

/* ---- The model ---- */

static hone_status *open_variables(tf_importer *importer, const tf_body *body,
                                   const tf_meta_graph *meta) {
  bool any = false;
  for (int i = 0; i < body->node_count; i++)
    any |= tf_span_is(body->nodes[i].op, "RestoreV2") ||
           tf_span_is(body->nodes[i].op, "VarHandleOp") ||
           tf_span_is(body->nodes[i].op, "VariableV2");
  if (!any) return NULL;
  HONE_TRY(tf_bundle_open(importer, BUNDLE, &importer->bundle));
  return tf_bind_variables(importer, body, meta->saver);
}

static hone_status *read_model(tf_importer *importer) {
  const hone_model_source *source = importer->source;
  tf_saved_model model;
  tf_meta_graph meta;
  tf_graph_def graph;
  tf_signature_def signature;
  tf_body *body = HONE_NEW(&importer->scratch, tf_body);
  HONE_TRY_MEMORY(body);
  HONE_TRY(hone_map_put(&importer->bodies, "", 0, body));
  HONE_TRY(tf_read_saved_model(&importer->reader, importer->file, &model));
  HONE_TRY(find_meta_graph(importer, &model, *source->tags ? source->tags : "serve", &meta));
  HONE_TRY(tf_read_graph_def(&importer->reader, meta.graph, &graph));
  HONE_TRY(tf_read_library(importer, graph.library));
  HONE_TRY(tf_read_graph_body(importer, &graph, body));
  HONE_TRY(find_signature(importer, &meta, source->signature, &signature));
  HONE_TRY(open_variables(importer, body, &meta));
  return convert_signature(importer, body, &signature);
}

bool hone_sniff_saved_model(hone_bytes bytes) {
  unsigned counts[32];
  hone_proto_kind kinds[32];
  if (hone_proto_is_text(bytes, tf_saved_model_schema)) return true;
  if (!bytes.size || !hone_proto_outline(bytes, 64, counts, kinds) || !counts[1] || !counts[2] ||
      kinds[1] != HONE_PROTO_VARINT || kinds[2] != HONE_PROTO_BYTES)
    return false;
  for (int i = 3; i < 32; i++)
    if (counts[i]) return false;
  return true;
}

hone_status *hone_import_saved_model(const hone_model_source *source, hone_graph **out) {
  tf_importer importer;
  hone_status *status = tf_importer_open(&importer, source, tf_saved_model_schema);
  if (!status) status = read_model(&importer);
  if (status)
    hone_graph_free(importer.root);
  else
    *out = importer.root;
  tf_importer_close(&importer);
  return status;
}
