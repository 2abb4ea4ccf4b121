/* What an engine is and what its runs took, told in JSON and text. Room: engine. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hone/network.h>

#include "engine/copied.h"
#include "engine/frame.h"
#include "ir/text.h"

hone_status *hone_give_json(json_t *root, char **out) {
  char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
  json_decref(root);
  if (!text) return hone_error_memory();
  hone_text copy = {0};
  hone_text_puts(&copy, text);
  free(text);
  hone_status *status = hone_text_status(&copy);
  if (!status) *out = copy.data;
  return status;
}

static json_t *sources_of(const hone_node *node) {
  json_t *list = json_array();
  for (int i = 0; i < node->source_count; i++)
    json_array_append_new(list, json_stringn_nocheck(node->sources[i], strlen(node->sources[i])));
  return list;
}

/* "conv+add+relu": the ops of a body in order. */
static json_t *ops_of(const hone_unit *unit) {
  json_t *list = json_array();
  if (!unit->body) {
    json_array_append_new(list, json_string(unit->node->op->name));
    return list;
  }
  for (const hone_node *n = unit->body->first; n; n = n->next)
    json_array_append_new(list, json_string(n->op->name));
  return list;
}

const char *hone_unit_kernel(const hone_unit *unit) {
  switch (unit->kind) {
    case HONE_UNIT_KERNEL:
      return unit->choice.candidate;
    case HONE_UNIT_VIEW:
      return "view";
    case HONE_UNIT_CONTROL:
      return "control";
    default:
      return "reference";
  }
}

static json_t *inputs_of(const hone_node *node) {
  json_t *list = json_array();
  for (int i = 0; i < node->input_count; i++) {
    const hone_value *value = node->inputs[i].value;
    if (value && !value->constant) json_array_append_new(list, json_string(value->name));
  }
  return list;
}

static json_t *outputs_of(const hone_node *node) {
  json_t *list = json_array();
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) json_array_append_new(list, json_string(node->outputs[i]->name));
  return list;
}

/* Where the unit runs: "host" where none of its values is device work, else the backend. */
static const char *place_of(const hone_unit *unit) {
  if (unit->kind == HONE_UNIT_KERNEL && unit->prepared.backend->device)
    return unit->prepared.backend->name;
  for (int i = 0; i < unit->node->output_count; i++)
    if (unit->node->outputs[i] && unit->node->outputs[i]->place == HONE_PLACE_DEVICE) return "cpu";
  return "host";
}

/* In how many bodies of ifs and loops the unit stands. */
static int depth_of(const hone_unit *unit) {
  int depth = 0;
  for (const hone_graph *g = unit->node->graph; g->owner; g = g->owner->graph) depth++;
  return depth;
}

/* "no kernel takes it of f64, s64": the types of what the unit reads, by which kernels are chosen.
 */
static const char *no_kernel(const hone_unit *unit, char *text, size_t room) {
  const hone_node *node = unit->node;
  size_t at = (size_t)snprintf(text, room, "no kernel takes it of");
  for (int i = 0; i < node->input_count && at < room; i++) {
    const hone_value *in = node->inputs[i].value;
    if (in)
      at += (size_t)snprintf(text + at, room - at, "%s %s", i ? "," : "",
                             hone_dtype_name(in->type.dtype));
  }
  return text;
}

/* Why a unit runs as it does, where that is not by a kernel of its own. */
static const char *why_of(const hone_engine *engine, const hone_unit *unit, char *text,
                          size_t room) {
  const uint32_t facts = unit->node->op->facts;
  if (unit->kind == HONE_UNIT_KERNEL && engine->device && !unit->prepared.backend->device)
    return "no kernel of the GPU takes it";
  if (unit->kind == HONE_UNIT_KERNEL && unit->prepared.missing[0]) return unit->prepared.missing;
  if (unit->kind != HONE_UNIT_PLAIN) return "";
  if (unit->body)
    return unit->choice.candidate_count ? "it was faster" : no_kernel(unit, text, room);
  if (facts & HONE_OBJECTS) return "it works on strings, sequences or optionals";
  if (facts & HONE_SHAPE_ONLY) return "it reads sizes only, while planning";
  if (facts & HONE_HAS_REGIONS) return "its bodies run by their plain meaning";
  return strcmp(place_of(unit), "host") == 0 ? "shapes and indices are host work"
                                             : "it is no device work";
}

/* Whether all that the unit does is to move elements, as a reformat or a copy. */
static bool copies(const hone_unit *unit) {
  if (unit->kind == HONE_UNIT_VIEW || strcmp(place_of(unit), "host") == 0) return false;
  if (!unit->body) return unit->node->op->facts & HONE_MOVES;
  for (const hone_node *n = unit->body->first; n; n = n->next)
    if (!(n->op->facts & (HONE_MOVES | HONE_VIEW))) return false;
  return true;
}

/* ---- The engine's report ------------------------------------------------------------------------
 */

typedef struct reporter {
  json_t *groups;
  int groups_count, references;
  const hone_engine *engine;
  const hone_program *program;
  const hone_unit_bytes *bytes; /* by unit of the program */
} reporter;

/* At typical sizes; -1 where that is not known. */
static hone_unit_bytes bytes_by(const reporter *r, const hone_unit *unit) {
  const hone_unit *first = r->program->units;
  bool root = unit >= first && unit < first + r->program->unit_count;
  hone_unit_bytes bytes = root ? r->bytes[unit - first] : (hone_unit_bytes){-1, -1};
  if (!copies(unit)) bytes.copied = 0; /* it computes what it writes */
  if (unit->prepared.backend && unit->prepared.backend->device) bytes.crossed = 0;
  if (!r->engine->device || !unit->body) bytes.crossed = 0;
  return bytes;
}

/* The library that the unit's kernel needs; null where there is none, or none is needed. */
static json_t *needs_of(const hone_unit *unit) {
  const char *needs = unit->kind == HONE_UNIT_KERNEL ? unit->prepared.needs : NULL;
  return needs ? json_string(needs) : json_null();
}

static hone_status *report_unit(void *argument, hone_unit *unit) {
  reporter *r = argument;
  size_t packed = 0;
  char why[256];
  for (int i = 0; i < unit->prepared.pack_count; i++) packed += unit->prepared.packs[i].size;
  const char *kernel = hone_unit_kernel(unit);
  hone_unit_bytes bytes = bytes_by(r, unit);
  if (unit->body) r->groups_count++;
  if (unit->body && strcmp(kernel, "reference") == 0) r->references++;
  json_t *entry = json_pack(
      "{s:o, s:o, s:s, s:i, s:o, s:s, s:b, s:i, s:f, s:I, s:b, s:s, s:b, s:I, s:I, s:o, s:o, s:i}",
      "sources",
      sources_of(unit->node), "ops", ops_of(unit), "kernel", kernel, "variant",
      unit->choice.variant, "needs", needs_of(unit), "why",
      why_of(r->engine, unit, why, sizeof why), "group", unit->body != NULL, "candidates",
      unit->choice.candidate_count, "nanoseconds", unit->nanoseconds, "packed_bytes",
      (json_int_t)packed, "measured", (int)unit->choice.measured, "place", place_of(unit), "copies",
      (int)copies(unit), "copied_bytes", (json_int_t)bytes.copied,
      "crossing_bytes", (json_int_t)bytes.crossed, "inputs",
      inputs_of(unit->node), "outputs", outputs_of(unit->node), "depth", depth_of(unit));
  if (!entry || json_array_append_new(r->groups, entry) != 0) return hone_error_memory();
  return NULL;
}

hone_status *hone_engine_report(const hone_engine *engine, char **out) {
  hone_arena memory = {0};
  hone_unit_bytes *bytes;
  reporter r = {.groups = json_array(), .engine = engine, .program = engine->program};
  hone_status *status = hone_unit_bytes_of(engine, &memory, &bytes);
  r.bytes = bytes;
  if (!status) status = hone_visit_units(engine->program, report_unit, &r);
  hone_arena_free(&memory);
  json_t *fused = json_object();
  for (int i = 0; i < engine->log.count; i++)
    json_object_set_new(fused, engine->log.entries[i].name,
                        json_integer(engine->log.entries[i].count));
  json_t *root =
      json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:o, s:o}", "version", HONE_VERSION, "device",
                engine->device ? engine->device->name : "cpu", "precision",
                engine->precision, "threads", engine->threads, "groups", r.groups_count,
                "references", r.references, "fired", fused, "units", r.groups);
  if (engine->build_seconds > 0) { /* a file does not hold them: its bytes depend on no clock */
    json_object_set_new(root, "build_seconds", json_real(engine->build_seconds));
    json_object_set_new(root, "measured", json_integer((json_int_t)engine->measured));
    json_object_set_new(root, "from_cache", json_integer((json_int_t)engine->cached));
  }
  if (status) {
    json_decref(root);
    return status;
  }
  return hone_give_json(root, out);
}

hone_status *hone_engine_text(const hone_engine *engine, char **out) {
  hone_text text = {0};
  hone_status *status = hone_graph_print(engine->graph, 16, NULL, NULL, &text);
  if (!status) status = hone_text_status(&text);
  if (status) {
    hone_text_free(&text);
    return status;
  }
  *out = text.data;
  return NULL;
}

/* ---- Ports
 * ------------------------------------------------------------------------------------------ */

size_t hone_input_count(const hone_engine *engine) {
  return (size_t)engine->program->graph->input_count;
}
size_t hone_output_count(const hone_engine *engine) {
  return (size_t)engine->program->graph->output_count;
}

void hone_value_describe(const hone_value *value, hone_port *out) {
  const hone_type *type = &value->type;
  hone_port port = {.struct_size = out->struct_size, .name = value->name};
  port.type = (hone_tensor){.struct_size = sizeof(hone_tensor),
                            .kind = type->kind,
                            .dtype = type->dtype,
                            .rank = type->shape.rank};
  for (int i = 0; i < type->shape.rank; i++) {
    hone_dim dim = type->shape.dim[i];
    port.type.dims[i] = hone_dim_known(dim) ? dim : -1;
    if (!hone_dim_known(dim)) port.dim_names[i] = hone_graph_symbol_name(value->graph, dim);
  }
  memcpy(out, &port, out->struct_size < sizeof port ? out->struct_size : sizeof port);
}

hone_status *hone_input_at(const hone_engine *engine, size_t index, hone_port *out) {
  if (index >= hone_input_count(engine))
    return hone_error(HONE_INVALID_ARGUMENT, "there is no input %zu", index);
  hone_value_describe(engine->program->graph->inputs[index], out);
  return NULL;
}

hone_status *hone_output_at(const hone_engine *engine, size_t index, hone_port *out) {
  if (index >= hone_output_count(engine))
    return hone_error(HONE_INVALID_ARGUMENT, "there is no output %zu", index);
  hone_value_describe(engine->program->graph->outputs[index].value, out);
  return NULL;
}

/* ---- Profiles
 * --------------------------------------------------------------------------------------- */

void hone_profile(hone_context *context, bool on) {
  context->run.profiled = on;
}

static void profile_frame(const hone_frame *frame, json_t *list) {
  const hone_program *program = frame->program;
  for (size_t u = 0; u < program->unit_count; u++) {
    const hone_step_time *time = &frame->times[u];
    const hone_unit *unit = &program->units[u];
    if (time->runs)
      json_array_append_new(
          list,
          json_pack("{s:o, s:o, s:s, s:I, s:I, s:i}", "sources", sources_of(unit->node), "ops",
                    ops_of(unit), "kernel", hone_unit_kernel(unit), "runs", (json_int_t)time->runs,
                    "nanoseconds", (json_int_t)time->nanoseconds, "depth", frame->depth));
    for (size_t c = frame->child_start[u]; c < frame->child_start[u + 1]; c++)
      if (frame->children[c]) profile_frame(frame->children[c], list);
  }
}

hone_status *hone_profile_report(const hone_context *context, char **out) {
  json_t *list = json_array();
  profile_frame(context->frame, list);
  return hone_give_json(json_pack("{s:o, s:i}", "steps", list, "threads", context->run.threads),
                        out);
}
