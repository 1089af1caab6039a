/* `capture`: packets of a port into a pcapng file. While one runs, callbacks on the port's queues copy what comes and goes
 * into buffers of the capture's own, as far as there are any, and the control thread writes them down; while none runs
 * there is not even a test on the packets' way. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_pcapng.h>
#include <rte_ring.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "operate.h"

enum { RING = 1024, WRITE_BURST = 64, SNAP_BYTES_DEFAULT = 256, SNAP_BYTES_MAX = 1500, PACKETS_DEFAULT = 100000, SECONDS_DEFAULT = 60, SECONDS_MAX = 3600 };

/* One queue, both ways. The io lcore writes ring and counters, the control thread reads. */
struct tap {
    uint16_t port, queue;
    uint32_t snap_bytes;
    struct rte_mempool *pool;
    struct rte_ring *ring; /* of copies; single producer, single consumer */
    const struct rte_eth_rxtx_callback *rx, *tx;
    uint64_t dropped;      /* no buffer, or no room in the ring */
} VX_ALIGNED;

static struct {
    rte_pcapng_t *file; /* NULL: none runs */
    char path[2 * VX_PATH_BYTES];
    struct tap *taps[VX_IO_LCORES_MAX];
    uint32_t count;
    uint64_t written, written_max, deadline_cycles;
    uint16_t port;
    struct rte_eth_stats before;
} capture; /* control thread */

static void copy(struct tap *tap, struct rte_mbuf **mbufs, uint16_t count, enum rte_pcapng_direction direction)
{
    uint64_t now = rte_rdtsc();
    for (uint16_t i = 0; i < count; i++) {
        struct rte_mbuf *made = rte_ring_full(tap->ring) ? NULL : rte_pcapng_copy(tap->port, tap->queue, mbufs[i], tap->pool, tap->snap_bytes, now, direction);
        if (made == NULL || rte_ring_sp_enqueue(tap->ring, made) != 0) {
            rte_pktmbuf_free(made);
            __atomic_store_n(&tap->dropped, tap->dropped + 1, __ATOMIC_RELAXED);
        }
    }
}

static uint16_t on_rx(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count, uint16_t max, void *tap)
{
    (void)port, (void)queue, (void)max;
    copy(tap, mbufs, count, RTE_PCAPNG_DIRECTION_IN);
    return count;
}

static uint16_t on_tx(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count, void *tap)
{
    (void)port, (void)queue;
    copy(tap, mbufs, count, RTE_PCAPNG_DIRECTION_OUT);
    return count;
}

static void tap_end(struct app *app, struct tap *tap)
{
    struct rte_mbuf *mbuf;
    if (tap->rx != NULL)
        (void)rte_eth_remove_rx_callback(tap->port, tap->queue, tap->rx);
    if (tap->tx != NULL)
        (void)rte_eth_remove_tx_callback(tap->port, tap->queue, tap->tx);
    app_quiesce(app); /* the io lcore has left them */
    while (tap->ring != NULL && rte_ring_sc_dequeue(tap->ring, (void **)&mbuf) == 0)
        rte_pktmbuf_free(mbuf);
    rte_free(tap->ring);
    rte_free(tap);
}

static struct tap *tap_begin(struct app *app, uint16_t port, uint16_t queue, uint32_t snap_bytes)
{
    struct tap *tap = rte_zmalloc("tap", sizeof(*tap), VX_CACHE_LINE_BYTES);
    struct rte_ring *ring = rte_zmalloc("tap_ring", (size_t)rte_ring_get_memsize(RING), VX_CACHE_LINE_BYTES);
    if (tap == NULL || ring == NULL || rte_ring_init(ring, "tap", RING, RING_F_SP_ENQ | RING_F_SC_DEQ) != 0) {
        rte_free(tap);
        rte_free(ring);
        return NULL;
    }
    *tap = (struct tap){ .port = port, .queue = queue, .snap_bytes = snap_bytes, .pool = app->capture_pool, .ring = ring };
    tap->rx = rte_eth_add_rx_callback(port, queue, on_rx, tap);
    tap->tx = rte_eth_add_tx_callback(port, queue, on_tx, tap);
    if (tap->rx != NULL && tap->tx != NULL)
        return tap;
    tap_end(app, tap);
    return NULL;
}

static uint64_t dropped(void)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < capture.count; i++)
        total += vx_counter_read(&capture.taps[i]->dropped);
    return total;
}

static void write_tap(const struct tap *tap)
{
    struct rte_mbuf *burst[WRITE_BURST];
    for (;;) {
        unsigned count = rte_ring_sc_dequeue_burst(tap->ring, (void **)burst, WRITE_BURST, NULL);
        if (count == 0)
            return;
        uint64_t room = capture.written_max - capture.written;
        uint16_t taken = (uint16_t)(count < room ? count : room);
        if (taken > 0 && rte_pcapng_write_packets(capture.file, burst, taken) < 0) {
            vx_log(VX_LOG_ERROR, "capture", NULL, "cannot write to %s: %s", capture.path, strerror(rte_errno));
            capture.deadline_cycles = 0;
        }
        capture.written += taken;
        rte_pktmbuf_free_bulk(burst, count);
    }
}

static json_t *state_json(void)
{
    return json_pack("{s:b,s:s,s:I,s:I}", "running", capture.file != NULL, "file", capture.path, "packets", (json_int_t)capture.written, "dropped", (json_int_t)dropped());
}

/* What it was, for who ended it. */
static json_t *capture_end(struct app *app)
{
    struct rte_eth_stats now;
    for (uint32_t i = 0; i < capture.count; i++)
        write_tap(capture.taps[i]);
    json_t *state = state_json();
    if (rte_eth_stats_get(capture.port, &now) == 0)
        (void)rte_pcapng_write_stats(capture.file, capture.port, NULL, 0, 0, now.ipackets - capture.before.ipackets, dropped());
    rte_pcapng_close(capture.file);
    capture.file = NULL;
    for (uint32_t i = 0; i < capture.count; i++)
        tap_end(app, capture.taps[i]);
    capture.count = 0;
    (void)json_object_set_new(state, "running", json_false());
    return state;
}

void app_capture_turn(struct app *app)
{
    if (capture.file == NULL)
        return;
    for (uint32_t i = 0; i < capture.count; i++)
        write_tap(capture.taps[i]);
    if (rte_rdtsc() < capture.deadline_cycles && capture.written < capture.written_max)
        return;
    json_t *state = capture_end(app);
    vx_control_note(app->control, "capture stop", NULL, json_incref(state));
    json_decref(state);
}

void app_capture_stop(struct app *app)
{
    if (capture.file != NULL)
        json_decref(capture_end(app));
}

/* The file lies beside the ledger; its name has no folder in it, so that nobody writes elsewhere by us. */
static int open_file(const struct app *app, const char *name, struct vx_error *error)
{
    char ledger[VX_PATH_BYTES];
    (void)strcpy(ledger, app->config.ledger.path);
    if (strchr(name, '/') != NULL || name[0] == '.')
        return vx_error_set(error, -EINVAL, "%.100s: expected a name without a folder; captures lie beside the ledger", name);
    (void)snprintf(capture.path, sizeof(capture.path), "%s/%s", dirname(ledger), name);
    int fd = open(capture.path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return vx_error_set(error, -errno, "%.200s: %s", capture.path, strerror(errno));
    capture.file = rte_pcapng_fdopen(fd, NULL, NULL, "veltrixd", NULL);
    if (capture.file == NULL) {
        (void)close(fd);
        return vx_error_set(error, -EIO, "%.200s: cannot begin a pcapng file: %s", capture.path, strerror(rte_errno));
    }
    return 0;
}

static json_t *on_start(void *context, struct vx_control_call *call, struct vx_error *error)
{
    struct app *app = context;
    uint32_t port = (uint32_t)vx_control_whole(call, "port", 1) - 1, snap = (uint32_t)vx_control_whole(call, "snap", SNAP_BYTES_DEFAULT);
    if (capture.file != NULL)
        return vx_control_fail(call, error, VX_CONTROL_BUSY, "a capture to %s runs already; capture stop ends it", capture.path);
    if (port >= app->ports_started)
        return vx_control_fail(call, error, VX_CONTROL_OUT_OF_RANGE, "port is %u, expected a whole number from 1 to %u", port + 1, app->ports_started);
    int rc = open_file(app, vx_control_text(call, "file", ""), error);
    if (rc != 0) {
        call->code = rc == -EINVAL ? VX_CONTROL_BAD_ARGUMENT : VX_CONTROL_FAILED;
        return NULL;
    }
    capture.port = app->ports[port].id;
    capture.written = 0;
    capture.written_max = (uint64_t)vx_control_whole(call, "packets", PACKETS_DEFAULT);
    capture.deadline_cycles = rte_rdtsc() + (uint64_t)vx_control_whole(call, "seconds", SECONDS_DEFAULT) * app->cycles_per_s;
    (void)rte_eth_stats_get(capture.port, &capture.before);
    for (uint16_t queue = 0; queue < app->ports[port].config.queues; queue++) {
        struct tap *tap = tap_begin(app, capture.port, queue, snap);
        if (tap == NULL) {
            json_decref(capture_end(app));
            return vx_control_fail(call, error, VX_CONTROL_FAILED, "no memory for a capture of queue %u", queue);
        }
        capture.taps[capture.count++] = tap;
    }
    call->new = json_string(capture.path);
    return state_json();
}

static json_t *on_stop(void *context, struct vx_control_call *call, struct vx_error *error)
{
    if (capture.file == NULL)
        return vx_control_fail(call, error, VX_CONTROL_NOT_FOUND, "no capture runs");
    return capture_end(context);
}

static json_t *on_show(void *context, struct vx_control_call *call, struct vx_error *error)
{
    (void)context, (void)call, (void)error;
    return state_json();
}

int app_capture_create(struct app *app, struct vx_error *error)
{
    app->capture_pool = rte_pktmbuf_pool_create("captures", app->config.capture.buffers, 0, 0, (uint16_t)rte_pcapng_mbuf_size(SNAP_BYTES_MAX), SOCKET_ID_ANY);
    if (app->capture_pool == NULL)
        return vx_error_set(error, -ENOMEM, "capture.buffers = %u: no memory for the pool: %s", app->config.capture.buffers, rte_strerror(rte_errno));
    return 0;
}

static const struct vx_control_argument start_arguments[] = {
    { "file", VX_ARGUMENT_TEXT, VX_ARGUMENT_NEEDED, 1, 100, NULL, "", "a new file's name; it lies beside the ledger" },
    { "port", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, VX_PORTS_MAX, NULL, "", "which port, counted from 1 (1)" },
    { "packets", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, 100000000, NULL, "packets", "end after so many (100000)" },
    { "seconds", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 1, SECONDS_MAX, NULL, "s", "end after so long (60)" },
    { "snap", VX_ARGUMENT_WHOLE, VX_ARGUMENT_NAMED, 60, SNAP_BYTES_MAX, NULL, "bytes", "of each packet so many (256)" },
    { .name = NULL },
};
const struct vx_control_command app_capture_commands[] = {
    { "capture start", VX_CONTROL_ADMIN, "writes a port's packets, both ways, to a pcapng file", "the io lcores copy packets while it runs; what finds no buffer is dropped from the file, not from the game",
      start_arguments, on_start },
    { "capture stop", VX_CONTROL_ADMIN, "ends the capture", "the file is complete", NULL, on_stop },
    { "capture show", VX_CONTROL_LOOK, "says whether a capture runs, and what it has", "", NULL, on_show },
    { .name = NULL },
};
