/* vx_bench_netcode: what netcode's seals cost, cycles a message: 120,000 different keys in random order, each in a
 * session of 256 bytes as a server has them, messages in as many buffers as a memif ring. The reference is libsodium. */
#include <string.h>

#include "bench.h"
#include "vx_netcode.h"

enum { KEYS = 120000, SESSION_BYTES = 256, BUFFERS = 1024, BUFFER_BYTES = 2048, CHUNKS = 64, ROUND = CHUNKS * BUFFERS, TOKENS = 512 };
enum how { SODIUM, BURST, ALONE };
enum { HOW = 1 << 16 }; /* a case's argument: how * HOW + bytes */

static struct vx_aead *aead;
static struct vx_netcode_aads aads;
static uint8_t *sessions, *buffers;
static struct vx_aead_job jobs[BUFFERS];
static struct vx_rng rng = { 1 };
static uint64_t sequence;

/* Each message its own key, as packets of different players have. */
static void jobs_make(uint32_t bytes)
{
    for (uint32_t i = 0; i < BUFFERS; i++) {
        uint8_t *data = buffers + (size_t)i * BUFFER_BYTES;
        uint32_t header_bytes = vx_netcode_header_write(data, VX_NETCODE_PAYLOAD, ++sequence);
        vx_netcode_job(&jobs[i], &aads, sessions + (size_t)vx_rng_below(&rng, KEYS) * SESSION_BYTES, data[0], sequence, data + header_bytes, bytes);
    }
}

static void run_seal(enum how how)
{
    if (how == SODIUM)
        vx_aead_seal_scalar(jobs, BUFFERS);
    else
        for (uint32_t i = 0, step = how == BURST ? 32 : 1; i < BUFFERS; i += step)
            vx_aead_seal(aead, jobs + i, step);
}

static uint32_t run_open(enum how how)
{
    uint32_t opened = 0;
    if (how == SODIUM)
        return vx_aead_open_scalar(jobs, BUFFERS);
    for (uint32_t i = 0, step = how == BURST ? 32 : 1; i < BUFFERS; i += step)
        opened += vx_aead_open(aead, jobs + i, step);
    return opened;
}

static double seal(uint32_t argument)
{
    uint64_t cycles = 0;
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        jobs_make(argument % HOW);
        uint64_t began = __rdtsc();
        run_seal((enum how)(argument / HOW));
        cycles += __rdtsc() - began;
    }
    return (double)cycles / ROUND;
}

static double open(uint32_t argument)
{
    uint64_t cycles = 0, opened = 0;
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        jobs_make(argument % HOW);
        run_seal(BURST);
        uint64_t began = __rdtsc();
        opened += run_open((enum how)(argument / HOW));
        cycles += __rdtsc() - began;
    }
    VX_ASSERT(opened == ROUND);
    return (double)cycles / ROUND;
}

static double forged(uint32_t bytes)
{
    uint64_t cycles = 0, opened = 0;
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        jobs_make(bytes);
        uint64_t began = __rdtsc();
        opened += run_open(BURST);
        cycles += __rdtsc() - began;
    }
    VX_ASSERT(opened == 0);
    return (double)cycles / ROUND;
}

/* Clear bytes and the replay window, for packets whose keys are not looked at. */
static double parse(uint32_t bytes)
{
    static struct vx_netcode_replay windows[BUFFERS];
    uint64_t cycles = 0, taken = 0;
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++) {
        jobs_make(bytes);
        uint64_t began = __rdtsc();
        for (uint32_t i = 0; i < BUFFERS; i++) {
            const uint8_t *data = buffers + (size_t)i * BUFFER_BYTES;
            struct vx_netcode_packet packet;
            uint32_t length = vx_netcode_header_bytes(sequence - BUFFERS + 1 + i) + bytes + VX_NETCODE_TAG_BYTES;
            __builtin_prefetch(data + 4 * BUFFER_BYTES);
            if (vx_netcode_parse(data, length, VX_NETCODE_TAKEN_BY_SERVER, &packet) == VX_DROP_NONE && !vx_netcode_replay_seen(&windows[i], packet.sequence)) {
                vx_netcode_replay_mark(&windows[i], packet.sequence);
                taken++;
            }
        }
        cycles += __rdtsc() - began;
    }
    VX_ASSERT(taken == ROUND);
    return (double)cycles / ROUND;
}

/* A connection request's private data: opened and read, or found to be a forger's. keys: how many are tried. */
static double token(uint32_t argument)
{
    static struct vx_netcode_private private = { .client_id = 1, .timeout_s = 10, .server_count = 1, .servers = { { .type = VX_NETCODE_ADDRESS_4, .port = 40000 } } };
    struct vx_netcode_keys keys = { .count = argument };
    uint8_t nonce[VX_NETCODE_TOKEN_NONCE_BYTES] = { 0 }, out[VX_NETCODE_PRIVATE_BYTES];
    uint32_t opened = 0;
    for (uint32_t i = 0; i < BUFFERS; i++) {
        vx_netcode_private_write(&private, buffers + (size_t)i * BUFFER_BYTES);
        vx_netcode_private_seal(buffers + (size_t)i * BUFFER_BYTES, 1, 2, nonce, keys.keys[0]);
        buffers[(size_t)i * BUFFER_BYTES] ^= argument > 1; /* with two keys: a forger's, which both refuse */
    }
    uint64_t began = __rdtsc();
    for (uint32_t i = 0; i < TOKENS; i++)
        opened += vx_netcode_private_open(buffers + (size_t)i * BUFFER_BYTES, 1, 2, nonce, &keys, out) == 0 &&
                  vx_netcode_private_read(out, &private) == VX_NETCODE_FAULT_NONE;
    uint64_t cycles = __rdtsc() - began;
    VX_ASSERT(opened == (argument == 1 ? TOKENS : 0));
    return (double)cycles / TOKENS;
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "netcode_reference_seal_cycles", "reference: libsodium, 64 bytes sealed", seal, SODIUM * HOW + 64 },
        { "netcode_reference_open_cycles", "reference: libsodium, 64 bytes opened", open, SODIUM * HOW + 64 },
        { "netcode_seal_cycles", "64 bytes sealed, bursts of 32", seal, BURST * HOW + 64 },
        { "netcode_open_cycles", "64 bytes opened, bursts of 32", open, BURST * HOW + 64 },
        { "netcode_seal_alone_cycles", "64 bytes sealed, bursts of one", seal, ALONE * HOW + 64 },
        { "netcode_open_alone_cycles", "64 bytes opened, bursts of one", open, ALONE * HOW + 64 },
        { "netcode_forged_cycles", "64 bytes that do not authenticate, bursts of 32", forged, 64 },
        { "netcode_keep_alive_cycles", "8 bytes opened, bursts of 32: a keep-alive", open, BURST * HOW + 8 },
        { "netcode_open_256_cycles", "256 bytes opened, bursts of 32", open, BURST * HOW + 256 },
        { "netcode_open_1200_cycles", "1,200 bytes opened, bursts of 32", open, BURST * HOW + 1200 },
        { "netcode_parse_cycles", "clear bytes read and the replay window asked and marked", parse, 64 },
        { "netcode_token_cycles", "a connect token's private data opened and read", token, 1 },
        { "netcode_token_forged_cycles", "a forger's, refused under two keys", token, 2 },
    };
    struct bench_options options;
    if (!bench_options_read(argc, argv, &options) || vx_netcode_start() != 0)
        return 2;
    aead = vx_aead_create(bench_memory(vx_aead_bytes()));
    sessions = bench_memory((size_t)KEYS * SESSION_BYTES);
    buffers = bench_memory((size_t)(BUFFERS + 4) * BUFFER_BYTES);
    vx_netcode_aads_make(&aads, 1);
    for (size_t i = 0; i < (size_t)KEYS * SESSION_BYTES; i += 8)
        memcpy(sessions + i, &(uint64_t){ vx_rng_next(&rng) }, 8);
    return bench_run(&options, cases, sizeof(cases) / sizeof(cases[0]));
}
