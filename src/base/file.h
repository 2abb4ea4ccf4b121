/* Files: mapped for reading, written atomically. Room: base. */
#ifndef HONE_BASE_FILE_H
#define HONE_BASE_FILE_H

#include <stdbool.h>

#include <hone/types.h>

#include "base/status.h"

/* A regular file mapped read-only. Shared by reference count. */
typedef struct hone_file hone_file;

HONE_MUST_USE hone_status *hone_file_open(const char *path, hone_file **out);
/* A companion of a model: `name` (of `size` bytes, from the model) must be a relative path to a
 * regular file with one link beneath `folder`, with no "..", and no symbolic link on the way. */
HONE_MUST_USE hone_status *hone_file_open_beneath(const char *folder, const char *name, size_t size,
                                                  hone_file **out);
/* Memory of the caller's, which outlives it, in a file's place. */
HONE_MUST_USE hone_status *hone_file_wrap(hone_bytes bytes, hone_file **out);
hone_bytes hone_file_bytes(const hone_file *file);
/* Lets the system take back the memory that reading took; the bytes are read again when needed. */
void hone_file_unload(const hone_file *file);
hone_file *hone_file_retain(hone_file *file);
void hone_file_release(hone_file *file); /* NULL allowed */

bool hone_path_is_folder(const char *path);
/* `path` where it is a folder, else the folder part of it, "." where there is none; for
 * hone_free. NULL without memory. */
char *hone_path_folder(const char *path);

/* Writes `parts` one after the other to `path`, which has either its old content or all of the new,
 * whatever happens: a temporary file beside it, fsync, rename, fsync of the folder. */
HONE_MUST_USE hone_status *hone_file_write(const char *path, const hone_bytes *parts,
                                           size_t count);
/* All of a small file (at most `limit` bytes), zero-terminated beyond its size; for hone_free.
 * NOT_FOUND where there is none. */
HONE_MUST_USE hone_status *hone_file_read(const char *path, size_t limit, char **out,
                                          size_t *size);

#endif
