/* LLQ writes descriptors and headers of packets to send straight into the card's memory. Mapped write-combining,
 * that is one burst over PCIe for 128 bytes; mapped uncached it is sixteen, each waited for, and the core burns. So
 * the mapping is looked up in the kernel's own list of memory types. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_timer.h>

#include "ena.h"

enum { LINE_BYTES = 256 };

/* First and last byte of the BAR; false when there is none. */
static bool bar_range(const char *root, const char *address, uint64_t *first, uint64_t *last)
{
    char path[VX_PATH_BYTES * 2], line[LINE_BYTES];
    (void)snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/resource", root, address);
    FILE *file = fopen(path, "re");
    bool found = false;
    if (file == NULL)
        return false;
    for (int bar = 0; bar <= ENA_LLQ_BAR && fgets(line, sizeof(line), file) != NULL; bar++)
        if (bar == ENA_LLQ_BAR)
            found = sscanf(line, "%" SCNx64 " %" SCNx64, first, last) == 2 && *last > *first;
    (void)fclose(file);
    return found;
}

/* Kernels write "PAT: [mem 0x…-0x…] write-combining", older ones "write-combining @ 0x…-0x…". */
static bool line_range(const char *line, uint64_t *first, uint64_t *last)
{
    const char *numbers = strstr(line, "0x");
    return numbers != NULL && sscanf(numbers, "%" SCNx64 "-%" SCNx64, first, last) == 2;
}

static enum ena_mapping memtype_look(const char *root, uint64_t first, uint64_t last)
{
    char path[VX_PATH_BYTES * 2], line[LINE_BYTES];
    enum ena_mapping found = ENA_MAPPING_UNKNOWN;
    (void)snprintf(path, sizeof(path), "%s/sys/kernel/debug/x86/pat_memtype_list", root);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return found;
    while (found != ENA_MAPPING_COMBINES && fgets(line, sizeof(line), file) != NULL) {
        uint64_t begin, end;
        if (line_range(line, &begin, &end) && begin <= last && end > first) /* our process maps it; the kernel may have other mappings */
            found = strstr(line, "write-combining") != NULL ? ENA_MAPPING_COMBINES : ENA_MAPPING_UNCACHED;
    }
    (void)fclose(file);
    return found;
}

/* igb_uio says by a parameter what it does. */
static enum ena_mapping igb_uio_look(const char *root)
{
    char path[VX_PATH_BYTES * 2];
    (void)snprintf(path, sizeof(path), "%s/sys/module/igb_uio/parameters/wc_activate", root);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return ENA_MAPPING_UNKNOWN;
    int active = fgetc(file);
    (void)fclose(file);
    return active == '1' ? ENA_MAPPING_COMBINES : ENA_MAPPING_UNCACHED;
}

enum ena_mapping ena_llq_mapping(const char *root, const char *address)
{
    uint64_t first, last;
    enum ena_mapping mapping = bar_range(root, address, &first, &last) ? memtype_look(root, first, last) : ENA_MAPPING_UNKNOWN;
    return mapping != ENA_MAPPING_UNKNOWN ? mapping : igb_uio_look(root);
}

void ena_started(struct vx_port *port)
{
    switch (ena_llq_mapping("", port->config.target)) {
    case ENA_MAPPING_COMBINES:
        vx_port_note(port, "LLQ memory is mapped write-combining");
        break;
    case ENA_MAPPING_UNCACHED:
        vx_port_note(port, "LLQ memory is mapped uncached, sending will burn the core: modprobe igb_uio wc_activate=1, or a vfio-pci that maps prefetchable BARs so");
        break;
    case ENA_MAPPING_UNKNOWN:
        vx_port_note(port, "cannot see how LLQ memory is mapped (mount -t debugfs none /sys/kernel/debug); without write-combining sending burns the core");
        break;
    }
}

void ena_poll(struct vx_port *port)
{
    (void)port;
    (void)rte_timer_manage();
}
