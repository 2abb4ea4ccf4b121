/* Shared libraries that define ops. Room: engine. */
#include <dlfcn.h>

#include <hone/op.h>

#include "base/status.h"

typedef hone_status *plugin_function(void);

static hone_status *load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return hone_error(HONE_IO, "%s", dlerror());
  /* ISO C has no way from an object pointer to a function's; POSIX gives this one. */
  plugin_function *plugin;
  *(void **)&plugin = dlsym(library, "hone_plugin");
  hone_status *status =
      plugin ? plugin() : hone_error(HONE_INVALID_ARGUMENT, "it has no function hone_plugin");
  /* What it defined points into it: it stays loaded from the first definition on. */
  if (!plugin) dlclose(library);
  return status;
}

hone_status *hone_plugin_load(const char *path) {
  if (!path) return hone_error(HONE_INVALID_ARGUMENT, "its path is missing");
  return hone_error_at(load(path), "plugin '%.200s'", path);
}
