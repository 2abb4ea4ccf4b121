/* Reading and writing code between builds. Room: engine. */
#include "engine/code_cache.h"

#include "base/log.h"
#include "base/text.h"
#include "engine/format.h"

static hone_status *path_of(const char *timing_cache, hone_text *out) {
  hone_text_printf(out, "%s.code", timing_cache);
  return hone_text_status(out);
}

static hone_status *recall(const hone_backend *device, hone_bytes file) {
  hone_format_view view;
  HONE_TRY(hone_format_read(file, &view));
  HONE_TRY(hone_format_verify(&view, HONE_SECTION_CODE, NULL));
  return device->code->recall(view.sections[HONE_SECTION_CODE]);
}

static hone_status *read_file(const hone_backend *device, const char *path) {
  hone_file *file;
  hone_status *status = hone_file_open(path, &file);
  if (hone_status_code(status) == HONE_NOT_FOUND) {
    hone_status_free(status);
    return NULL;
  }
  HONE_TRY(status);
  status = recall(device, hone_file_bytes(file));
  hone_file_release(file);
  return status;
}

hone_status *hone_code_cache_read(const hone_backend *device, const char *timing_cache) {
  hone_text path = {0};
  hone_status *status = path_of(timing_cache, &path);
  if (!status) status = read_file(device, path.data);
  if (status && hone_status_code(status) != HONE_OUT_OF_MEMORY) {
    hone_log(HONE_LOG_WARNING, "the code in '%s' is left alone, kernels are compiled: %s", path.data,
             hone_status_message(status));
    hone_status_free(status);
    status = NULL;
  }
  hone_text_free(&path);
  return status;
}

hone_status *hone_code_cache_write(const hone_backend *device, const char *timing_cache) {
  hone_text path = {0}, code = {0};
  hone_section sections[HONE_SECTION_COUNT] = {{0}};
  hone_status *status = path_of(timing_cache, &path);
  if (!status) status = device->code->known(&code);
  if (!status) status = hone_text_status(&code);
  if (!status) {
    hone_section_add(&sections[HONE_SECTION_CODE], code.data, code.size);
    status = hone_format_write(path.data, sections);
  }
  hone_section_free(&sections[HONE_SECTION_CODE]);
  hone_text_free(&code);
  hone_text_free(&path);
  return status;
}
