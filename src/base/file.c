/* Files. Room: base. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"

struct hone_file {
  _Atomic int references;
  void *data; /* NULL when the file is empty */
  size_t size;
  bool lent; /* memory of the caller's, not a mapping */
};

static hone_status *refused(const char *doing, const char *path) {
  char name[200];
  hone_code code = errno == ENOENT ? HONE_NOT_FOUND : HONE_IO;
  return hone_error(code, "cannot %s '%s': %s", doing,
                    hone_quoted(name, sizeof name, path, strlen(path)), strerror(errno));
}

static hone_status *not_ours(const char *path, const char *why) {
  char name[200];
  return hone_error(HONE_IO, "'%s' %s", hone_quoted(name, sizeof name, path, strlen(path)), why);
}

/* Maps an open descriptor and closes it. */
static hone_status *map_file(int fd, const char *path, bool one_link, hone_file **out) {
  struct stat facts;
  hone_status *status = NULL;
  hone_file *file = NULL;
  if (fstat(fd, &facts) != 0) {
    status = refused("read", path);
  } else if (!S_ISREG(facts.st_mode)) {
    status = not_ours(path, "is no regular file");
  } else if (one_link && facts.st_nlink != 1) {
    status = not_ours(path, "has more than one link");
  } else if (!(file = hone_alloc_zero(sizeof *file))) {
    status = hone_error_memory();
  } else {
    file->references = 1;
    file->size = (size_t)facts.st_size;
    if (file->size) {
      file->data = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
      if (file->data == MAP_FAILED) {
        status = refused("map", path);
        hone_free(file);
      }
    }
  }
  close(fd);
  if (!status) *out = file;
  return status;
}

hone_status *hone_file_open(const char *path, hone_file **out) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return refused("open", path);
  return map_file(fd, path, false, out);
}

/* Whether every part of a relative path is a plain name. */
static bool plain_path(const char *path) {
  if (!*path || *path == '/') return false;
  for (const char *at = path; *at;) {
    size_t size = strcspn(at, "/");
    if (size == 0 || (size == 1 && at[0] == '.') || (size == 2 && at[0] == '.' && at[1] == '.'))
      return false;
    at += size;
    if (*at == '/') at++;
  }
  return true;
}

/* Without openat2 (before Linux 5.6): one part at a time, none of them a link. */
static int open_step_by_step(int folder, const char *path) {
  int at = dup(folder);
  char part[256];
  while (at >= 0) {
    size_t size = strcspn(path, "/");
    bool last = path[size] == 0;
    if (size >= sizeof part) {
      close(at);
      errno = ENAMETOOLONG;
      return -1;
    }
    memcpy(part, path, size);
    part[size] = 0;
    int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (last ? 0 : O_DIRECTORY);
    int next = openat(at, part, flags);
    close(at);
    if (last) return next;
    at = next;
    path += size + 1;
  }
  return -1;
}

hone_status *hone_file_open_beneath(const char *folder, const char *name, size_t size,
                                    hone_file **out) {
  char path[1024], shown[200];
  hone_quoted(shown, sizeof shown, name, size);
  if (size >= sizeof path || memchr(name, 0, size))
    return hone_error(HONE_INVALID_MODEL, "the companion file name '%s' is too long", shown);
  memcpy(path, name, size);
  path[size] = 0;
  if (strncmp(path, "./", 2) == 0) memmove(path, path + 2, size - 1);
  if (!plain_path(path))
    return hone_error(HONE_INVALID_MODEL,
                      "the companion file '%s' does not lie beneath the model's folder", shown);
  int at = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (at < 0) return refused("open the folder", folder);
  struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
  int fd = (int)syscall(SYS_openat2, at, path, &how, sizeof how);
  if (fd < 0 && (errno == ENOSYS || errno == EPERM)) fd = open_step_by_step(at, path);
  int reason = errno;
  close(at);
  errno = reason;
  if (fd < 0) return refused("open the companion file", path);
  return map_file(fd, path, true, out);
}

hone_bytes hone_file_bytes(const hone_file *file) {
  return (hone_bytes){file->data ? file->data : "", file->size};
}

void hone_file_unload(const hone_file *file) {
  if (file->data && !file->lent) (void)madvise(file->data, file->size, MADV_DONTNEED);
}

hone_file *hone_file_retain(hone_file *file) {
  atomic_fetch_add(&file->references, 1);
  return file;
}

void hone_file_release(hone_file *file) {
  if (!file || atomic_fetch_sub(&file->references, 1) != 1) return;
  if (file->data && !file->lent) munmap(file->data, file->size);
  hone_free(file);
}

hone_status *hone_file_wrap(hone_bytes bytes, hone_file **out) {
  hone_file *file = hone_alloc_zero(sizeof *file);
  HONE_TRY_MEMORY(file);
  atomic_init(&file->references, 1);
  file->data = (void *)(uintptr_t)bytes.data;
  file->size = bytes.size;
  file->lent = true;
  *out = file;
  return NULL;
}

bool hone_path_is_folder(const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

char *hone_path_folder(const char *path) {
  const char *slash = strrchr(path, '/');
  size_t size = slash ? (size_t)(slash - path) : 1;
  if (slash == path) size = 1;
  if (hone_path_is_folder(path)) {
    slash = path;
    size = strlen(path);
  }
  char *folder = hone_alloc(size + 1);
  if (!folder) return NULL;
  memcpy(folder, slash ? path : ".", size);
  folder[size] = 0;
  return folder;
}

static bool write_all(int fd, const char *data, size_t size) {
  while (size) {
    ssize_t wrote = write(fd, data, size < (size_t)1 << 30 ? size : (size_t)1 << 30);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    data += wrote;
    size -= (size_t)wrote;
  }
  return true;
}

static bool write_parts(int fd, const hone_bytes *parts, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!write_all(fd, parts[i].data, parts[i].size)) return false;
  return fsync(fd) == 0;
}

static void sync_folder(const char *folder) {
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  close(fd);
}

/* A new file beside `path` that nobody else writes, its name in `name`; the process's umask holds. */
static int open_temporary(const char *path, char *name, size_t room) {
  static _Atomic unsigned number;
  for (int tries = 0; tries < 100; tries++) {
    snprintf(name, room, "%s.%d.%u.tmp", path, (int)getpid(), atomic_fetch_add(&number, 1));
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd >= 0 || errno != EEXIST) return fd;
  }
  return -1;
}

hone_status *hone_file_write(const char *path, const hone_bytes *parts, size_t count) {
  size_t room = strlen(path) + 32; /* two numbers of at most 10 digits, ".", ".", ".tmp" */
  char *temporary = hone_alloc(room);
  char *folder = hone_path_folder(path);
  hone_status *status = NULL;
  if (!temporary || !folder) {
    status = hone_error_memory();
  } else {
    int fd = open_temporary(path, temporary, room);
    if (fd < 0) {
      status = refused("create", path);
    } else {
      bool good = write_parts(fd, parts, count);
      if (close(fd) != 0) good = false;
      if (!good || rename(temporary, path) != 0) {
        status = refused("write", path);
        (void)unlink(temporary);
      } else {
        sync_folder(folder);
      }
    }
  }
  hone_free(temporary);
  hone_free(folder);
  return status;
}

hone_status *hone_file_read(const char *path, size_t limit, char **out, size_t *size) {
  hone_file *file;
  HONE_TRY(hone_file_open(path, &file));
  hone_status *status = NULL;
  char name[200];
  if (file->size > limit) {
    status = hone_error(HONE_LIMIT, "'%s' holds more than %zu bytes",
                        hone_quoted(name, sizeof name, path, strlen(path)), limit);
  } else if (!(*out = hone_alloc(file->size + 1))) {
    status = hone_error_memory();
  } else {
    if (file->size) memcpy(*out, file->data, file->size);
    (*out)[file->size] = 0;
    *size = file->size;
  }
  hone_file_release(file);
  return status;
}
