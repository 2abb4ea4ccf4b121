/* Where NVIDIA's libraries lie. Room: backend/cuda. */
#include "backend/cuda/library.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void do_it(hone_once *once, hone_status *(*open)(void *), void *what) {
  hone_status *status = open(what);
  once->failed = hone_status_code(status);
  once->tried = once->failed != HONE_OUT_OF_MEMORY;
  if (status) snprintf(once->failure, sizeof once->failure, "%s", hone_status_message(status));
  hone_status_free(status);
}

hone_status *hone_do_once(hone_once *once, hone_status *(*open)(void *), void *what) {
  pthread_mutex_lock(&once->lock);
  if (!once->tried) do_it(once, open, what);
  hone_status *status = once->failed ? hone_error(once->failed, "%s", once->failure) : NULL;
  pthread_mutex_unlock(&once->lock);
  return status;
}

static bool try_file(const char *path, hone_library *out) {
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) return false;
  out->handle = handle;
  snprintf(out->path, sizeof out->path, "%s", path);
  return true;
}

/* `folder` may hold wildcards, as the folders of wheels do. */
static bool try_folder(const char *folder, const char *name, hone_library *out) {
  char pattern[768];
  glob_t found = {0};
  bool loaded = false;
  snprintf(pattern, sizeof pattern, "%s/%s", folder, name);
  if (glob(pattern, 0, NULL, &found) == 0)
    for (size_t i = 0; i < found.gl_pathc && !loaded; i++)
      loaded = try_file(found.gl_pathv[i], out);
  globfree(&found);
  return loaded;
}

/* The folders of a list with colons between them. */
static bool try_list(const char *list, const char *name, hone_library *out) {
  while (list && *list) {
    char folder[512];
    size_t size = strcspn(list, ":");
    if (size && size < sizeof folder) {
      snprintf(folder, sizeof folder, "%.*s", (int)size, list);
      if (try_folder(folder, name, out)) return true;
    }
    list += size + (list[size] == ':');
  }
  return false;
}

/* Wheels that were installed beside the one that this code came in. */
static bool try_own_wheels(const char *name, hone_library *out) {
  Dl_info own;
  char folder[600];
  if (!dladdr((const void *)hone_library_open, &own) || !own.dli_fname) return false;
  const char *end = strstr(own.dli_fname, "/site-packages/");
  if (!end) return false;
  snprintf(folder, sizeof folder, "%.*s/site-packages/nvidia/*/lib", (int)(end - own.dli_fname),
           own.dli_fname);
  return try_folder(folder, name, out);
}

static bool try_below(const char *root, const char *folder, const char *name, hone_library *out) {
  char path[600];
  if (!root || !*root) return false;
  snprintf(path, sizeof path, "%s/%s", root, folder);
  return try_folder(path, name, out);
}

static bool try_name(const char *name, hone_library *out) {
  return try_list(getenv("HONE_CUDA_PATH"), name, out) || try_file(name, out) ||
         try_below(getenv("CUDA_HOME"), "lib*", name, out) ||
         try_folder("/usr/local/cuda/lib*", name, out) || try_own_wheels(name, out) ||
         try_below(getenv("VIRTUAL_ENV"), "lib/python3*/site-packages/nvidia/*/lib", name, out);
}

/* A name that was loaded by the loader's own search becomes the file that it is. */
static void resolve(hone_library *library, const char *symbol) {
  Dl_info info;
  void *address = dlsym(library->handle, symbol);
  if (address && dladdr(address, &info) && info.dli_fname)
    snprintf(library->path, sizeof library->path, "%s", info.dli_fname);
}

hone_status *hone_library_open(const hone_library_spec *spec, hone_library *out) {
  const char *file = getenv(spec->variable);
  if (file && *file) {
    if (try_file(file, out)) return NULL;
    return hone_error(HONE_NOT_FOUND, "%s names %.300s, which does not load", spec->variable, file);
  }
  for (int i = 0; i < 4 && spec->names[i]; i++)
    if (try_name(spec->names[i], out)) return NULL;
  return hone_error(HONE_NOT_FOUND, "%s was not found on this machine", spec->names[0]);
}

hone_status *hone_library_bind(hone_library *library, const hone_library_symbol *symbols,
                               size_t count, void *table) {
  for (size_t i = 0; i < count; i++) {
    void *address = dlsym(library->handle, symbols[i].name);
    if (!address)
      return hone_error(HONE_UNSUPPORTED, "%.300s has no function %s: it is too old", library->path,
                        symbols[i].name);
    memcpy((char *)table + symbols[i].at, &address, sizeof address);
  }
  resolve(library, symbols[0].name);
  return NULL;
}
