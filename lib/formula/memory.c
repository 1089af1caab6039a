/* The shared memory: a memfd, sealed against shrinking, because a worker that truncated the file would end the
 * daemon with SIGBUS. Batches are made resident at once; texts, taps and histograms as they are used. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "formula_private.h"

static int map(struct formula_memory *memory, struct vx_error *error)
{
    if (ftruncate(memory->fd, (off_t)memory->bytes) != 0 || fcntl(memory->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return vx_error_set(error, -errno, "formula memory of %zu bytes: %s", memory->bytes, strerror(errno));
    void *address = mmap(NULL, memory->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);
    if (address == MAP_FAILED)
        return vx_error_set(error, -errno, "formula memory of %zu bytes: mmap: %s", memory->bytes, strerror(errno));
    memory->header = address;
    if (madvise((char *)address + FORMULA_HEADER_BYTES, memory->bytes - FORMULA_HEADER_BYTES, MADV_POPULATE_WRITE) != 0)
        return vx_error_set(error, -errno, "formula memory of %zu bytes: cannot be made resident: %s", memory->bytes, strerror(errno));
    return 0;
}

int formula_memory_map(struct formula_memory *memory, uint32_t lanes, struct vx_error *error)
{
    *memory = (struct formula_memory){ .bytes = formula_shared_bytes(lanes), .fd = memfd_create("vx-formula", MFD_CLOEXEC | MFD_ALLOW_SEALING) };
    if (memory->fd < 0)
        return vx_error_set(error, -errno, "formula memory: memfd_create: %s", strerror(errno));
    int rc = map(memory, error);
    if (rc != 0) {
        formula_memory_unmap(memory);
        return rc;
    }
    struct formula_header *header = memory->header;
    header->magic = FORMULA_MAGIC;
    header->layout_version = FORMULA_LAYOUT_VERSION;
    header->batch_bytes = sizeof(struct formula_batch);
    header->seat_bytes = sizeof(struct formula_seat);
    header->lanes = lanes;
    for (uint32_t seat = 0; seat < FORMULA_SEATS; seat++)
        atomic_store_explicit(&header->server_of[seat], seat, memory_order_relaxed);
    return 0;
}

void formula_memory_unmap(struct formula_memory *memory)
{
    if (memory->header != NULL)
        (void)munmap(memory->header, memory->bytes);
    if (memory->fd >= 0)
        (void)close(memory->fd);
    *memory = (struct formula_memory){ .fd = -1 };
}
