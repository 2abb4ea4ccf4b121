/* Writing and reading section meta. Room: engine. */
#include "engine/meta.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "engine/backends.h"

/* ---- Writing -------------------------------------------------------------------------------- */

static json_t *options_json(hone_option_set set, const hone_options *options) {
  json_t *object = json_object();
  const char *name;
  for (size_t i = 0; (name = hone_option_of(set, i)); i++)
    json_object_set_new(object, name, json_string(hone_options_get(options, name)));
  return object;
}

/* The model that the weights are in, with portable=reference; else null. */
static json_t *origin_json(const hone_engine *engine) {
  if (!engine->origin) return json_null();
  char sum[17];
  snprintf(sum, sizeof sum, "%016llx", (unsigned long long)engine->model_sum);
  return json_pack("{s:s, s:s, s:o}", "path", engine->origin->path, "sum", sum, "options",
                   options_json(HONE_OPTIONS_IMPORT, engine->origin->options));
}

static json_t *fused_json(const hone_engine *engine) {
  json_t *fused = json_object();
  for (int i = 0; fused && i < engine->log.count; i++)
    json_object_set_new(fused, engine->log.entries[i].name,
                        json_integer(engine->log.entries[i].count));
  return fused;
}

hone_status *hone_meta_write(const hone_engine *engine, hone_text *out) {
  char isa[64];
  json_t *meta = json_pack(
      "{s:s, s:s, s:s, s:i, s:{s:s, s:s, s:i, s:i}, s:s, s:s, s:o, s:o, s:o}", "writer",
      "hone " HONE_VERSION, "device", engine->device ? engine->device->name : "cpu", "wish",
      engine->wish, "threads", engine->threads, "target", "isa",
      hone_cpu_isa_text(hone_cpu_isa(), isa, sizeof isa), "processor", hone_cpu_name(), "packing",
      (int)hone_backend_cpu.packing_version, "device_packing",
      engine->device ? (int)engine->device->packing_version : 0, "precision", engine->precision,
      "portable", hone_option_text(engine->options, HONE_OPTION_portable), "fused",
      fused_json(engine), "options",
      options_json(HONE_OPTIONS_REFIT, engine->options), "model", origin_json(engine));
  char *text = meta ? json_dumps(meta, JSON_SORT_KEYS | JSON_INDENT(1)) : NULL;
  json_decref(meta);
  if (!text) return hone_error_memory();
  hone_text_puts(out, text);
  free(text);
  return hone_text_status(out);
}

/* ---- Reading -------------------------------------------------------------------------------- */

static void copy_text(char *out, size_t room, const json_t *text) {
  const char *value = json_string_value(text);
  snprintf(out, room, "%s", value ? value : "");
}

/* Only options of the set; a file has no say in others. */
static hone_status *read_options(const json_t *from, hone_option_set set, hone_options *out) {
  const char *name;
  for (size_t i = 0; (name = hone_option_of(set, i)); i++) {
    const char *value = json_string_value(json_object_get(from, name));
    hone_status *status = value ? hone_options_set(out, name, value) : NULL;
    if (!status) continue;
    if (hone_status_code(status) == HONE_OUT_OF_MEMORY) return status;
    hone_status_free(status);
    return hone_error(HONE_CORRUPT, "section meta has no such value of option %s", name);
  }
  return NULL;
}

static hone_status *read_origin(const json_t *from, hone_engine *engine) {
  const char *path = json_string_value(json_object_get(from, "path"));
  const char *sum = json_string_value(json_object_get(from, "sum"));
  if (!path || !sum) return NULL;
  HONE_TRY(hone_origin_new(path, NULL, &engine->origin));
  engine->model_sum = strtoull(sum, NULL, 16);
  return read_options(json_object_get(from, "options"), HONE_OPTIONS_IMPORT,
                      engine->origin->options);
}

static hone_status *read_fused(const json_t *from, hone_engine *engine) {
  hone_pass_log *log = &engine->log;
  json_t *fused = (json_t *)(uintptr_t)from; /* the macro below takes no const */
  const char *name;
  json_t *count;
  json_object_foreach(fused, name, count) {
    if (log->count == (int)(sizeof log->entries / sizeof *log->entries)) break;
    log->entries[log->count].name = hone_arena_text(&engine->memory, name, strlen(name));
    HONE_TRY_MEMORY(log->entries[log->count].name);
    log->entries[log->count++].count = (int)json_integer_value(count);
  }
  return NULL;
}

static hone_status *read_engine(const json_t *root, hone_engine *engine) {
  copy_text(engine->wish, sizeof engine->wish, json_object_get(root, "wish"));
  HONE_TRY(read_fused(json_object_get(root, "fused"), engine));
  HONE_TRY(read_origin(json_object_get(root, "model"), engine));
  return read_options(json_object_get(root, "options"), HONE_OPTIONS_REFIT, engine->options);
}

hone_status *hone_meta_read(hone_bytes meta, hone_target *out, hone_engine *engine) {
  json_t *root = json_loadb(meta.data, meta.size, JSON_REJECT_DUPLICATES, NULL);
  if (!root) return hone_error(HONE_CORRUPT, "section meta is no JSON");
  const json_t *to = json_object_get(root, "target");
  copy_text(out->isa, sizeof out->isa, json_object_get(to, "isa"));
  copy_text(out->processor, sizeof out->processor, json_object_get(to, "processor"));
  copy_text(out->precision, sizeof out->precision, json_object_get(root, "precision"));
  copy_text(out->portable, sizeof out->portable, json_object_get(root, "portable"));
  const char *device = json_string_value(json_object_get(root, "device"));
  const char *wish = json_string_value(json_object_get(root, "wish"));
  out->used_device = device && strcmp(device, hone_backend_cuda.name) == 0;
  snprintf(out->device, sizeof out->device, "%s", out->used_device && wish ? wish : "cpu");
  out->packing = (unsigned)json_integer_value(json_object_get(to, "packing"));
  out->device_packing = (unsigned)json_integer_value(json_object_get(to, "device_packing"));
  out->threads = (int)json_integer_value(json_object_get(root, "threads"));
  hone_status *status = engine ? read_engine(root, engine) : NULL;
  json_decref(root);
  return status;
}

bool hone_target_is_bare(const hone_target *target) {
  return strcmp(target->portable, "none") == 0;
}

/* What the device's kernels run on, and which of it is not here. */
static const char *device_unfit(hone_bytes code, char *buffer, size_t room) {
  hone_code_needs needs;
  hone_status *status = hone_backend_cuda.code->needs(code, &needs);
  if (!status) status = hone_device_fits(&hone_backend_cuda, &code);
  if (!status) return NULL;
  snprintf(buffer, room,
           "it was made for an NVIDIA GPU of compute capability %d.%d or newer and a driver of CUDA "
           "%d.%d or newer: %s",
           needs.architecture / 10, needs.architecture % 10, needs.driver / 1000,
           needs.driver % 1000 / 10, hone_status_message(status));
  hone_status_free(status);
  return buffer;
}

static const char *packing_unfit(unsigned theirs, unsigned ours, char *buffer, size_t room) {
  if (theirs == ours) return NULL;
  snprintf(buffer, room, "its weights are packed in version %u and this library packs in %u", theirs,
           ours);
  return buffer;
}

const char *hone_target_unfit(const hone_target *target, hone_bytes code, char *buffer, size_t room) {
  char here[64];
  const char *why = target->used_device ? device_unfit(code, buffer, room) : NULL;
  if (why) return why;
  hone_cpu_isa_text(hone_cpu_isa(), here, sizeof here);
  if (strcmp(target->isa, here) != 0) {
    snprintf(buffer, room, "it was made for a processor with %s and this one has %s", target->isa,
             here);
    return buffer;
  }
  if (target->used_device)
    why = packing_unfit(target->device_packing, hone_backend_cuda.packing_version, buffer, room);
  return why ? why
             : packing_unfit(target->packing, hone_backend_cpu.packing_version, buffer, room);
}
