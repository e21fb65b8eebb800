/* The beam search of `core.graphsearch` once more, in C: the same tokens, paths and readings.
 *
 * That module is the specification and says why; here is only how. A search owns its frames,
 * compact, one block each, and tidies them every few emissions, which changes no reading. It
 * follows the best path as it grows. `core.nativesearch` calls this without the interpreter
 * lock: one search belongs to one thread at a time, and the scratch memory to each thread.
 *
 * Costs are float32, computed in the order of the numpy version, so both agree to the bit
 * (compile with -ffp-contract=off). Ties within a state may be broken otherwise.
 */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PHONES 40
#define SILENCE 0
#define STAY 1
#define ENTER (STAY + PHONES)
#define START_WORD (ENTER + PHONES)
#define TIDY 4           /* emissions */
#define MOST 65535       /* tokens of a frame: their numbers are 16 bits */
#define NOWHERE 65535    /* in the best path: not known */
#define MIX 0x9E3779B97F4A7C15ULL

typedef struct { /* mirrored by core.nativesearch._Graph */
    const uint8_t *phones;
    const uint32_t *firsts;
    const int32_t *goals;
    const float *costs;
    const int32_t *outputs;
    const uint32_t *end_firsts;
    const int32_t *end_goals;
    const float *end_costs;
    const int32_t *end_outputs;
    const int32_t *shorter;
    const float *shorter_costs;
    const float *finals;
    const float *offsets; /* [PHONES]: taken off log posteriors before they are scaled */
    int32_t roots;
    int32_t start;
    int32_t max_active;
    float scale;
    float silence_cost;
    float phone_cost;
    float word_cost;
    float beam;
    float lattice_beam;
} Graph;

typedef struct { /* a token while its emission is worked on */
    uint64_t words;
    int32_t state;
    float cost;
    int32_t output;
    uint16_t origin;
    uint8_t label;
} Token;

typedef struct { /* a token of the last emission */
    uint64_t words;
    int32_t state;
    float cost;
} Live;

typedef struct { /* one block of memory: the arrays follow each other, widest first */
    int32_t tokens, rivals;
    int32_t data[];
} Frame;

typedef struct {
    double cost;
    int32_t words;     /* how many */
    int32_t *outputs;  /* [emissions] */
    uint16_t *tokens;  /* [emissions] */
    uint8_t *labels;   /* [emissions] */
} Reading;

typedef struct {
    const Graph *graph;
    Live *live;
    int32_t lives;
    Frame **frames;      /* of emission `base` first */
    int32_t frames_room; /* places for them */
    int32_t count, room; /* emissions, and places for them */
    int32_t base;        /* emissions whose path is settled, and that have no frame any more */
    int32_t tidied;      /* emissions that were tidied before */
    int64_t bytes;       /* of all frames */
    uint16_t *path;      /* [room]: the best path's token at each emission from `base` on */
    uint8_t *labels;     /* [room]: and its labels */
    int32_t *outputs;    /* [room]: and its outputs */
    Reading *readings;
    int32_t found;
} Search;

/* ---- memory ---- */

static void *sized(void *old, size_t bytes) {
    void *block = realloc(old, bytes ? bytes : 1);
    if (block == NULL) {
        fputs("streamasr: out of memory in the search\n", stderr);
        abort();
    }
    return block;
}

typedef struct {
    Token *tokens;
    int32_t count, room;
} Row; /* of tokens, growing */

static Token *add(Row *row) {
    if (row->count == row->room) {
        row->room = row->room ? 2 * row->room : 1024;
        row->tokens = sized(row->tokens, (size_t)row->room * sizeof(Token));
    }
    return &row->tokens[row->count++];
}

typedef struct {
    uint64_t key;
    int32_t index;
} Item;

/* Scratch of a thread; it grows to what the largest emission took, and is kept. */
static _Thread_local struct {
    Row found, sounding, ended, resting, lost, beaten;
    Item *items;
    int32_t *table, *groups, *ranks;
    size_t items_room, table_room, groups_room;
} scratch;

static float *deltas_of(const Frame *f) { return (float *)f->data; }
static int32_t *outputs_of(const Frame *f) { return (int32_t *)f->data + f->rivals; }
static int32_t *rival_outputs_of(const Frame *f) { return outputs_of(f) + f->tokens; }
static uint16_t *origins_of(const Frame *f) {
    return (uint16_t *)(rival_outputs_of(f) + f->rivals);
}
static uint16_t *winners_of(const Frame *f) { return origins_of(f) + f->tokens; }
static uint16_t *rival_origins_of(const Frame *f) { return winners_of(f) + f->rivals; }
static uint8_t *labels_of(const Frame *f) { return (uint8_t *)(rival_origins_of(f) + f->rivals); }
static uint8_t *rival_labels_of(const Frame *f) { return labels_of(f) + f->tokens; }

static size_t frame_bytes(int32_t tokens, int32_t rivals) {
    return sizeof(Frame) + 7 * (size_t)tokens + 13 * (size_t)rivals;
}

static Frame *new_frame(int32_t tokens, int32_t rivals) {
    Frame *frame = sized(NULL, frame_bytes(tokens, rivals));
    frame->tokens = tokens;
    frame->rivals = rivals;
    return frame;
}

/* ---- sorting ---- */

static void sort_items(Item *a, int32_t n) {
    while (n > 16) {
        Item x = a[0], y = a[n / 2], z = a[n - 1];
        uint64_t pivot = x.key < y.key ? (y.key < z.key ? y.key : x.key < z.key ? z.key : x.key)
                                       : (x.key < z.key ? x.key : y.key < z.key ? z.key : y.key);
        int32_t i = 0, j = n - 1;
        while (i <= j) {
            while (a[i].key < pivot) i++;
            while (a[j].key > pivot) j--;
            if (i <= j) {
                Item swap = a[i];
                a[i++] = a[j];
                a[j--] = swap;
            }
        }
        if (j + 1 < n - i) { /* the smaller part by recursion, the larger one by the loop */
            sort_items(a, j + 1);
            a += i, n -= i;
        } else {
            sort_items(a + i, n - i);
            n = j + 1;
        }
    }
    for (int32_t i = 1; i < n; i++) {
        Item item = a[i];
        int32_t j = i;
        for (; j && a[j - 1].key > item.key; j--) a[j] = a[j - 1];
        a[j] = item;
    }
}

static uint32_t ordered(float cost) { /* bits in the order of floats */
    uint32_t bits;
    memcpy(&bits, &cost, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static Item *items_for(int32_t n) {
    if ((size_t)n > scratch.items_room) {
        scratch.items_room = 2 * (size_t)n;
        scratch.items = sized(scratch.items, scratch.items_room * sizeof(Item));
    }
    return scratch.items;
}

/* Keep the cheapest tokens of a row. */
static void keep_cheapest(Row *row, int32_t most) {
    if (row->count <= most) return;
    Item *items = items_for(row->count);
    for (int32_t i = 0; i < row->count; i++)
        items[i] = (Item){((uint64_t)ordered(row->tokens[i].cost) << 32) | (uint32_t)i, i};
    sort_items(items, row->count);
    Token *kept = sized(NULL, (size_t)row->room * sizeof(Token));
    for (int32_t i = 0; i < most; i++) kept[i] = row->tokens[items[i].index];
    free(row->tokens);
    row->tokens = kept;
    row->count = most;
}

/* ---- where tokens meet ---- */

/* The cheapest token of each state, in the order of states, to `best`; those that said other
 * words and cost less than `margin` more to `lost`, and whom each lost to, as a row of `best`,
 * to `winners`. */
static void compete(const Row *row, float margin, Row *best, Row *lost, int32_t **winners,
                    int32_t *winners_room) {
    int32_t n = row->count, groups = 0;
    size_t size = 1024;
    while (size < 2 * (size_t)n) size *= 2;
    if (size > scratch.table_room) {
        scratch.table_room = size;
        scratch.table = sized(scratch.table, size * sizeof(int32_t));
    }
    if ((size_t)n > scratch.groups_room) {
        scratch.groups_room = 2 * (size_t)n;
        scratch.groups = sized(scratch.groups, scratch.groups_room * sizeof(int32_t));
        scratch.ranks = sized(scratch.ranks, scratch.groups_room * sizeof(int32_t));
    }
    int32_t *table = scratch.table, *firsts = scratch.groups, *group_of = scratch.ranks;
    memset(table, 0xff, size * sizeof(int32_t));
    const Token *tokens = row->tokens;
    for (int32_t i = 0; i < n; i++) {
        size_t at = ((uint32_t)tokens[i].state * 2654435761u) & (size - 1);
        while (table[at] >= 0 && tokens[firsts[table[at]]].state != tokens[i].state)
            at = (at + 1) & (size - 1);
        if (table[at] < 0) {
            table[at] = groups;
            firsts[groups++] = i;
        } else if (tokens[i].cost < tokens[firsts[table[at]]].cost) {
            firsts[table[at]] = i;
        }
        group_of[i] = table[at];
    }
    Item *items = items_for(n);
    for (int32_t g = 0; g < groups; g++)
        items[g] = (Item){(uint32_t)tokens[firsts[g]].state, g};
    sort_items(items, groups);
    best->count = 0;
    int32_t *rank = table; /* of a group: the table has served */
    for (int32_t r = 0; r < groups; r++) {
        rank[items[r].index] = r;
        *add(best) = tokens[firsts[items[r].index]];
    }
    int32_t rivals = 0;
    for (int32_t i = 0; i < n; i++) {
        const Token *winner = &tokens[firsts[group_of[i]]];
        if (tokens[i].words != winner->words && tokens[i].cost - winner->cost < margin)
            items[rivals++] = (Item){
                ((uint64_t)rank[group_of[i]] << 32) | ordered(tokens[i].cost), i};
    }
    sort_items(items, rivals);
    if (rivals > *winners_room) {
        *winners_room = 2 * rivals;
        *winners = sized(*winners, (size_t)*winners_room * sizeof(int32_t));
    }
    lost->count = 0;
    for (int32_t r = 0; r < rivals; r++) {
        *add(lost) = tokens[items[r].index];
        (*winners)[r] = (int32_t)(items[r].key >> 32);
    }
}

static void say(Token *token, int32_t output) {
    if (output) token->words = (token->words + (uint64_t)(int64_t)output) * MIX;
}

/* ---- one emission ---- */

#define AHEAD 8 /* tokens whose arcs are asked for before they are needed: memory is far away */

#if defined(__GNUC__)
#define prefetch(address) __builtin_prefetch(address)
#else
#define prefetch(address) ((void)(address))
#endif

static void advance(const Search *s, const float *row, Row *found) {
    const Graph *g = s->graph;
    float enter[PHONES], begin[PHONES], cheapest = INFINITY;
    float least_enter = INFINITY, least_begin = INFINITY;
    for (int p = 0; p < PHONES; p++) {
        enter[p] = g->phone_cost - row[p];
        begin[p] = p == SILENCE ? enter[p] : enter[p] + g->word_cost;
        if (enter[p] < least_enter) least_enter = enter[p];
        if (begin[p] < least_begin) least_begin = begin[p];
    }
    found->count = 0;
    for (int32_t i = s->lives - 1; i >= 0; i--) { /* sounding tokens first: they are cheap */
        const Live *from = &s->live[i];
        int is_root = from->state < g->roots;
        const float *entry = is_root ? begin : enter;
        float least = is_root ? least_begin : least_enter;
        if (i >= AHEAD) prefetch(&g->firsts[s->live[i - AHEAD].state]);
        if (!is_root) {
            uint8_t phone = g->phones[from->state];
            float cost = from->cost - row[phone];
            if (cost < cheapest) cheapest = cost;
            if (cost < cheapest + g->beam)
                *add(found) = (Token){from->words, from->state, cost, 0, (uint16_t)i,
                                      (uint8_t)(phone + STAY)};
        }
        for (uint32_t arc = g->firsts[from->state]; arc < g->firsts[from->state + 1]; arc++) {
            float cost = g->costs[arc] + from->cost;
            if (cost + least >= cheapest + g->beam) continue; /* whatever its phone */
            int32_t goal = g->goals[arc];
            uint8_t phone = g->phones[goal];
            cost += entry[phone];
            if (cost < cheapest) cheapest = cost;
            if (cost < cheapest + g->beam) {
                uint8_t base = is_root && phone != SILENCE ? START_WORD : ENTER;
                *add(found) = (Token){from->words, goal, cost, g->outputs[arc], (uint16_t)i,
                                      (uint8_t)(phone + base)};
            }
        }
    }
    float limit = (float)((double)cheapest + g->beam);
    int32_t kept = 0;
    for (int32_t i = 0; i < found->count; i++) {
        if (!(found->tokens[i].cost < limit)) continue;
        found->tokens[kept] = found->tokens[i];
        found->tokens[kept++].cost -= cheapest;
    }
    found->count = kept;
}

/* The tokens at roots that words and pauses which end here lead to. */
static void end(const Graph *g, const Row *sounding, Row *ended) {
    for (int32_t i = 0; i < sounding->count; i++) {
        const Token *from = &sounding->tokens[i];
        int32_t place = from->state - g->roots;
        for (uint32_t e = g->end_firsts[place]; e < g->end_firsts[place + 1]; e++) {
            float cost = from->cost + g->end_costs[e];
            if (!(cost < g->beam)) continue;
            Token *to = add(ended);
            *to = *from;
            to->state = g->end_goals[e];
            to->cost = cost;
            if (g->end_outputs[e]) to->output = g->end_outputs[e];
            say(to, g->end_outputs[e]);
        }
    }
}

/* Let tokens at roots go on with shorter histories, and theirs too. */
static void shorten(const Graph *g, Row *resting) {
    for (int32_t i = 0; i < resting->count; i++) {
        Token token = resting->tokens[i];
        int32_t shorter = g->shorter[token.state];
        token.cost += g->shorter_costs[token.state];
        if (shorter == token.state || !(token.cost < g->beam)) continue;
        token.state = shorter;
        *add(resting) = token;
    }
}

static void put(Frame *frame, int32_t at, const Token *token) {
    origins_of(frame)[at] = token->origin;
    labels_of(frame)[at] = token->label;
    outputs_of(frame)[at] = token->output;
}

static void put_rival(Frame *frame, int32_t at, const Token *token, int32_t winner, float delta) {
    winners_of(frame)[at] = (uint16_t)winner;
    deltas_of(frame)[at] = delta;
    rival_origins_of(frame)[at] = token->origin;
    rival_labels_of(frame)[at] = token->label;
    rival_outputs_of(frame)[at] = token->output;
}

static _Thread_local int32_t *winners_a, *winners_b, winners_a_room, winners_b_room;

static void settle_live(Search *s, const Row *resting, const Row *sounding) {
    s->lives = resting->count + sounding->count;
    s->live = sized(s->live, (size_t)s->lives * sizeof(Live));
    Live *to = s->live;
    for (int32_t i = 0; i < resting->count; i++, to++) {
        const Token *t = &resting->tokens[i];
        *to = (Live){t->words, t->state, t->cost};
    }
    for (int32_t i = 0; i < sounding->count; i++, to++) {
        const Token *t = &sounding->tokens[i];
        *to = (Live){t->words, t->state, t->cost};
    }
}

static Frame *frame_of(const Search *s, int32_t at) { return s->frames[at - s->base]; }

static void make_room(Search *s) {
    if (s->count - s->base == s->frames_room) {
        s->frames_room = s->frames_room ? s->frames_room + s->frames_room / 2 : 64;
        s->frames = sized(s->frames, (size_t)s->frames_room * sizeof(Frame *));
    }
    if (s->count < s->room) return;
    s->room = s->room ? s->room + s->room / 2 : 64;
    s->path = sized(s->path, (size_t)s->room * sizeof(uint16_t));
    s->labels = sized(s->labels, (size_t)s->room);
    s->outputs = sized(s->outputs, (size_t)s->room * sizeof(int32_t));
}

static void step(Search *s, const float *row) {
    const Graph *g = s->graph;
    Row *found = &scratch.found, *sounding = &scratch.sounding, *lost = &scratch.lost;
    Row *ended = &scratch.ended, *resting = &scratch.resting, *beaten = &scratch.beaten;
    advance(s, row, found);
    keep_cheapest(found, g->max_active < MOST / 2 ? g->max_active : MOST / 2);
    for (int32_t i = 0; i < found->count; i++) say(&found->tokens[i], found->tokens[i].output);
    compete(found, g->lattice_beam, sounding, lost, &winners_a, &winners_a_room);
    ended->count = 0;
    end(g, sounding, ended);
    end(g, lost, ended);
    shorten(g, ended);
    keep_cheapest(ended, MOST / 2);
    compete(ended, g->lattice_beam, resting, beaten, &winners_b, &winners_b_room);
    settle_live(s, resting, sounding);
    Frame *frame = new_frame(s->lives, beaten->count + lost->count);
    for (int32_t i = 0; i < resting->count; i++) put(frame, i, &resting->tokens[i]);
    for (int32_t i = 0; i < sounding->count; i++)
        put(frame, resting->count + i, &sounding->tokens[i]);
    for (int32_t i = 0; i < beaten->count; i++) {
        const Token *t = &beaten->tokens[i];
        put_rival(frame, i, t, winners_b[i], t->cost - s->live[winners_b[i]].cost);
    }
    for (int32_t i = 0; i < lost->count; i++) {
        const Token *t = &lost->tokens[i];
        int32_t winner = winners_a[i] + resting->count;
        put_rival(frame, beaten->count + i, t, winner, t->cost - s->live[winner].cost);
    }
    make_room(s);
    s->path[s->count] = NOWHERE;
    s->frames[s->count++ - s->base] = frame;
    s->bytes += (int64_t)frame_bytes(frame->tokens, frame->rivals);
}

/* ---- tidying ---- */

/* `frame` with the rivals that `keeps` names, and of its tokens those with a number. */
static Frame *shrunk(Frame *frame, const int32_t *numbers, int32_t tokens, const uint8_t *keeps,
                     int32_t rivals) {
    Frame *to = new_frame(tokens, rivals);
    for (int32_t i = 0; i < frame->tokens; i++) {
        int32_t at = numbers[i];
        if (at < 0) continue;
        origins_of(to)[at] = origins_of(frame)[i];
        labels_of(to)[at] = labels_of(frame)[i];
        outputs_of(to)[at] = outputs_of(frame)[i];
    }
    int32_t at = 0;
    for (int32_t i = 0; i < frame->rivals; i++) {
        if (!keeps[i]) continue;
        winners_of(to)[at] = (uint16_t)numbers[winners_of(frame)[i]];
        deltas_of(to)[at] = deltas_of(frame)[i];
        rival_origins_of(to)[at] = rival_origins_of(frame)[i];
        rival_labels_of(to)[at] = rival_labels_of(frame)[i];
        rival_outputs_of(to)[at] = rival_outputs_of(frame)[i];
        at++;
    }
    free(frame);
    return to;
}

static void replace(Search *s, int32_t at, const int32_t *numbers, int32_t tokens,
                    const uint8_t *keeps, int32_t rivals) {
    Frame *old = frame_of(s, at);
    s->bytes -= (int64_t)frame_bytes(old->tokens, old->rivals);
    s->frames[at - s->base] = shrunk(old, numbers, tokens, keeps, rivals);
    s->bytes += (int64_t)frame_bytes(tokens, rivals);
}

/* Drop what no token can be traced back to, and rivals beyond the lattice beam. */
static void tidy(Search *s) {
    int32_t most = 1, widest = 1;
    for (int32_t at = s->base; at < s->count; at++) {
        if (frame_of(s, at)->tokens > most) most = frame_of(s, at)->tokens;
        if (frame_of(s, at)->rivals > widest) widest = frame_of(s, at)->rivals;
    }
    float *extra = sized(NULL, (size_t)most * sizeof(float));
    float *earlier = sized(NULL, (size_t)most * sizeof(float));
    int32_t *numbers = sized(NULL, (size_t)most * sizeof(int32_t));
    uint8_t *keeps = sized(NULL, (size_t)widest);
    float beam = s->graph->lattice_beam;
    for (int32_t i = 0; i < frame_of(s, s->count - 1)->tokens; i++) extra[i] = 0.0f;
    for (int32_t at = s->count - 1; at > s->base; at--) {
        Frame *frame = frame_of(s, at), *before = frame_of(s, at - 1);
        int32_t left = 0, kept = 0;
        for (int32_t i = 0; i < before->tokens; i++) earlier[i] = INFINITY;
        const uint16_t *origins = origins_of(frame), *winners = winners_of(frame);
        for (int32_t i = 0; i < frame->tokens; i++)
            if (extra[i] < earlier[origins[i]]) earlier[origins[i]] = extra[i];
        for (int32_t i = 0; i < frame->rivals; i++) {
            float cost = deltas_of(frame)[i] + extra[winners[i]];
            uint16_t origin = rival_origins_of(frame)[i];
            keeps[i] = cost < beam;
            if (!keeps[i]) continue;
            left++;
            if (cost < earlier[origin]) earlier[origin] = cost;
        }
        for (int32_t i = 0; i < before->tokens; i++)
            if (isfinite(earlier[i])) kept++;
        int has_same = kept == before->tokens && left == frame->rivals;
        if (has_same && at < s->tidied) break;
        if (left < frame->rivals) {
            for (int32_t i = 0; i < frame->tokens; i++) numbers[i] = i;
            replace(s, at, numbers, frame->tokens, keeps, left);
            frame = frame_of(s, at);
        }
        int32_t next = 0;
        for (int32_t i = 0; i < before->tokens; i++)
            numbers[i] = isfinite(earlier[i]) ? next++ : -1;
        if (kept < before->tokens) {
            for (int32_t i = 0; i < frame->tokens; i++)
                origins_of(frame)[i] = (uint16_t)numbers[origins_of(frame)[i]];
            for (int32_t i = 0; i < frame->rivals; i++)
                rival_origins_of(frame)[i] = (uint16_t)numbers[rival_origins_of(frame)[i]];
            uint8_t *stays = sized(NULL, (size_t)before->rivals);
            int32_t staying = 0;
            for (int32_t i = 0; i < before->rivals; i++)
                staying += stays[i] = numbers[winners_of(before)[i]] >= 0;
            for (int32_t i = 0; i < before->tokens; i++)
                if (numbers[i] >= 0) extra[numbers[i]] = earlier[i];
            replace(s, at - 1, numbers, kept, stays, staying);
            free(stays);
        } else {
            memcpy(extra, earlier, (size_t)kept * sizeof(float));
        }
        s->path[at - 1] = NOWHERE;
    }
    s->tidied = s->count;
    free(extra), free(earlier), free(numbers), free(keeps);
}

/* ---- the best path ---- */

static int32_t best_of(const Search *s) {
    int32_t best = 0;
    for (int32_t i = 1; i < s->lives; i++)
        if (s->live[i].cost < s->live[best].cost) best = i;
    return best;
}

static void follow(const Search *s, uint16_t *path, uint8_t *labels, int32_t *outputs, int32_t at,
                   uint16_t token, int is_known) {
    for (; at >= s->base && !(is_known && path[at] == token); at--) {
        const Frame *frame = frame_of(s, at);
        path[at] = token;
        labels[at] = labels_of(frame)[token];
        outputs[at] = outputs_of(frame)[token];
        token = origins_of(frame)[token];
    }
}

static int32_t silence_run(const Search *s) {
    int32_t run = 0;
    while (run < s->count) {
        uint8_t label = s->labels[s->count - 1 - run];
        if (label != STAY + SILENCE && label != ENTER + SILENCE) break;
        run++;
    }
    return run;
}

/* ---- for Python ---- */

void streamasr_reset(Search *s);

Search *streamasr_new(const Graph *graph) {
    Search *s = sized(NULL, sizeof *s);
    memset(s, 0, sizeof *s);
    s->graph = graph;
    streamasr_reset(s);
    return s;
}

static void forget_readings(Search *s) {
    for (int32_t i = 0; i < s->found; i++) {
        free(s->readings[i].outputs);
        free(s->readings[i].tokens);
        free(s->readings[i].labels);
    }
    free(s->readings);
    s->readings = NULL;
    s->found = 0;
}

void streamasr_reset(Search *s) {
    for (int32_t i = 0; i < s->count - s->base; i++) free(s->frames[i]);
    s->count = s->base = s->tidied = 0;
    s->bytes = 0;
    forget_readings(s);
    Row *row = &scratch.ended, *resting = &scratch.resting;
    row->count = 0;
    *add(row) = (Token){0, s->graph->start, 0.0f, 0, 0, 0};
    shorten(s->graph, row);
    compete(row, 0.0f, resting, &scratch.beaten, &winners_b, &winners_b_room);
    scratch.sounding.count = 0;
    settle_live(s, resting, &scratch.sounding);
}

void streamasr_free(Search *s) {
    for (int32_t i = 0; i < s->count - s->base; i++) free(s->frames[i]);
    forget_readings(s);
    free(s->frames), free(s->live), free(s->path), free(s->labels), free(s->outputs);
    free(s);
}

/* Take log posteriors [PHONES]; returns the emissions of silence that end the best path. */
static int32_t take(Search *s, const float *log_probs) {
    const Graph *g = s->graph;
    float row[PHONES];
    for (int p = 0; p < PHONES; p++) row[p] = (log_probs[p] - g->offsets[p]) * g->scale;
    row[SILENCE] -= g->silence_cost;
    step(s, row);
    if (s->count - s->tidied >= TIDY) tidy(s);
    follow(s, s->path, s->labels, s->outputs, s->count - 1, (uint16_t)best_of(s), 1);
    return silence_run(s);
}

/* Take up to `count` rows, at least one, but none after one that makes the silence at the end `early` long;
 * returns that silence, and how many were taken. */
int32_t streamasr_push(Search *s, const float *log_probs, int32_t count, int32_t early,
                       int32_t *taken) {
    int32_t quiet = 0;
    *taken = 0;
    do quiet = take(s, log_probs + (size_t)*taken * PHONES);
    while (++*taken < count && quiet != early);
    return quiet;
}

int32_t streamasr_emissions(const Search *s) { return s->count; }
int32_t streamasr_tokens(const Search *s) { return s->lives; }

int64_t streamasr_bytes(const Search *s) {
    return s->bytes + (int64_t)sizeof *s + (int64_t)s->lives * (int64_t)sizeof(Live) +
           (int64_t)s->room * 7 + (int64_t)s->frames_room * 8 +
           (int64_t)(s->count - s->base) * 16;
}

/* Emissions, from `base` on, up to which all readings within `doubt` of the best have one path. */
int32_t streamasr_agreed(const Search *s, float doubt, int32_t most) {
    float limit = s->live[best_of(s)].cost + doubt;
    int32_t *paths = sized(NULL, (size_t)s->lives * sizeof(int32_t)), count = 0;
    for (int32_t i = 0; i < s->lives; i++) {
        if (!(s->live[i].cost <= limit)) continue;
        int32_t at = 0;
        while (at < count && s->live[paths[at]].words != s->live[i].words) at++;
        if (at == count) paths[count++] = i;
        else if (s->live[i].cost < s->live[paths[at]].cost) paths[at] = i;
    }
    int32_t agreed = s->base;
    for (int32_t back = 0; back <= most && back <= s->count - s->base; back++) {
        if (count == 1) {
            agreed = s->count - back;
            break;
        }
        if (back == s->count - s->base) break;
        const uint16_t *origins = origins_of(frame_of(s, s->count - 1 - back));
        int32_t left = 0;
        for (int32_t i = 0; i < count; i++) {
            int32_t origin = origins[paths[i]], at = 0;
            while (at < left && paths[at] != origin) at++;
            if (at == left) paths[left++] = origin;
        }
        count = left;
    }
    free(paths);
    return agreed;
}

/* The outputs of the best path's words that end by emission `settled`; how many there are. */
int32_t streamasr_words(const Search *s, int32_t settled, int32_t *outputs) {
    int32_t stable = 0, said = 0, begun = -1;
    for (int32_t at = 0; at < s->count; at++) {
        uint8_t label = s->labels[at];
        int starts = label >= START_WORD;
        if ((starts || label == ENTER + SILENCE) && begun >= 0) {
            stable += at <= settled;
            begun = -1;
        }
        if (starts) begun = at;
    }
    if (begun >= 0) stable += s->count <= settled;
    for (int32_t at = 0; at < s->count && said < stable; at++)
        if (s->outputs[at]) outputs[said++] = s->outputs[at];
    return said;
}

/* The most emissions, `latest` at most, after which all paths are in one token; 0 for none. */
int32_t streamasr_narrow(const Search *s, int32_t latest) {
    int32_t at = latest < s->count ? latest : s->count;
    while (at > s->base && frame_of(s, at - 1)->tokens > 1) at--;
    return at > s->base ? at : 0;
}

/* Take this way to be that of all paths up to `settled`, as `narrow` gave it. */
void streamasr_settle(Search *s, int32_t settled, const uint8_t *labels, const int32_t *outputs) {
    int32_t dropped = settled - s->base, left = s->count - settled;
    for (int32_t i = 0; i < dropped; i++) {
        s->bytes -= (int64_t)frame_bytes(s->frames[i]->tokens, s->frames[i]->rivals);
        free(s->frames[i]);
    }
    memmove(s->frames, s->frames + dropped, (size_t)left * sizeof(Frame *));
    memcpy(s->labels, labels, (size_t)settled);
    memcpy(s->outputs, outputs, (size_t)settled * sizeof(int32_t));
    s->base = settled;
}

void streamasr_path(const Search *s, uint8_t *labels, int32_t *outputs) {
    memcpy(labels, s->labels, (size_t)s->count);
    memcpy(outputs, s->outputs, (size_t)s->count * sizeof(int32_t));
}

/* ---- readings ---- */

typedef struct {
    double cost;
    int64_t number;
    int32_t parent, at, row;
} Deviation;

typedef struct {
    Deviation *items;
    int32_t count, room;
    int64_t number;
} Heap;

static int before(const Deviation *a, const Deviation *b) {
    return a->cost < b->cost || (a->cost == b->cost && a->number < b->number);
}

static void heap_push(Heap *heap, double cost, int32_t parent, int32_t at, int32_t row) {
    if (heap->count == heap->room) {
        heap->room = heap->room ? 2 * heap->room : 256;
        heap->items = sized(heap->items, (size_t)heap->room * sizeof(Deviation));
    }
    Deviation item = {cost, heap->number++, parent, at, row};
    int32_t i = heap->count++;
    for (; i && before(&item, &heap->items[(i - 1) / 2]); i = (i - 1) / 2)
        heap->items[i] = heap->items[(i - 1) / 2];
    heap->items[i] = item;
}

static Deviation heap_pop(Heap *heap) {
    Deviation top = heap->items[0], last = heap->items[--heap->count];
    int32_t i = 0;
    for (;;) {
        int32_t child = 2 * i + 1;
        if (child >= heap->count) break;
        if (child + 1 < heap->count && before(&heap->items[child + 1], &heap->items[child])) child++;
        if (!before(&heap->items[child], &last)) break;
        heap->items[i] = heap->items[child];
        i = child;
    }
    if (heap->count) heap->items[i] = last;
    return top;
}

static void push_endings(const Search *s, Heap *heap, double within, double *limit) {
    const Graph *g = s->graph;
    float cheapest = INFINITY;
    for (int32_t i = 0; i < s->lives && s->live[i].state < g->roots; i++) {
        float cost = s->live[i].cost + g->finals[s->live[i].state];
        if (cost < cheapest) cheapest = cost;
    }
    int has_ends = isfinite(cheapest);
    if (!has_ends) cheapest = s->live[best_of(s)].cost;
    *limit = (double)cheapest + within;
    for (int32_t i = 0; i < s->lives; i++) {
        float cost = s->live[i].cost;
        if (has_ends && s->live[i].state >= g->roots) break;
        if (has_ends) cost += g->finals[s->live[i].state];
        if ((double)cost <= *limit) heap_push(heap, cost, -1, s->count, i);
    }
}

static Reading grown(const Search *s, const Deviation *way) {
    size_t n = (size_t)s->count;
    Reading made = {way->cost, 0, sized(NULL, n * sizeof(int32_t)),
                    sized(NULL, n * sizeof(uint16_t)), sized(NULL, n)};
    if (way->parent < 0) {
        memcpy(made.outputs, s->outputs, (size_t)s->base * sizeof(int32_t));
        memcpy(made.labels, s->labels, (size_t)s->base);
        follow(s, made.tokens, made.labels, made.outputs, s->count - 1, (uint16_t)way->row, 0);
    } else {
        const Reading *parent = &s->readings[way->parent];
        const Frame *frame = frame_of(s, way->at);
        memcpy(made.outputs, parent->outputs, n * sizeof(int32_t));
        memcpy(made.tokens, parent->tokens, n * sizeof(uint16_t));
        memcpy(made.labels, parent->labels, n);
        made.labels[way->at] = rival_labels_of(frame)[way->row];
        made.outputs[way->at] = rival_outputs_of(frame)[way->row];
        follow(s, made.tokens, made.labels, made.outputs, way->at - 1,
               rival_origins_of(frame)[way->row], 1);
    }
    for (size_t i = 0; i < n; i++) made.words += made.outputs[i] != 0;
    return made;
}

static int says_the_same(const Reading *a, const Reading *b, int32_t n) {
    if (a->words != b->words) return 0;
    for (int32_t i = 0, j = 0;; i++, j++) {
        while (i < n && !a->outputs[i]) i++;
        while (j < n && !b->outputs[j]) j++;
        if (i >= n || j >= n) return i >= n && j >= n;
        if (a->outputs[i] != b->outputs[j]) return 0;
    }
}

/* Up to `most` readings, cheapest first, that cost at most `within` more; how many. */
int32_t streamasr_readings(Search *s, double within, int32_t most, int32_t tries) {
    forget_readings(s);
    if (!s->count) return 0;
    Heap heap = {0};
    double limit;
    push_endings(s, &heap, within, &limit);
    s->readings = sized(NULL, (size_t)most * sizeof(Reading));
    for (int32_t tried = 0; tried < tries && heap.count && s->found < most; tried++) {
        Deviation way = heap_pop(&heap);
        Reading made = grown(s, &way);
        int32_t same = 0;
        while (same < s->found && !says_the_same(&s->readings[same], &made, s->count)) same++;
        if (same < s->found) {
            free(made.outputs), free(made.tokens), free(made.labels);
            continue;
        }
        s->readings[s->found++] = made;
        for (int32_t at = s->base; at < way.at; at++) {
            const Frame *frame = frame_of(s, at);
            const uint16_t *winners = winners_of(frame);
            int32_t low = 0, high = frame->rivals; /* winners ascend */
            while (low < high) {
                int32_t middle = (low + high) / 2;
                if (winners[middle] < made.tokens[at]) low = middle + 1;
                else high = middle;
            }
            for (; low < frame->rivals && winners[low] == made.tokens[at]; low++) {
                double cost = way.cost + (double)deltas_of(frame)[low];
                if (cost <= limit) heap_push(&heap, cost, s->found - 1, at, low);
            }
        }
    }
    free(heap.items);
    return s->found;
}

double streamasr_reading(const Search *s, int32_t number, uint8_t *labels, int32_t *outputs) {
    const Reading *reading = &s->readings[number];
    memcpy(labels, reading->labels, (size_t)s->count);
    memcpy(outputs, reading->outputs, (size_t)s->count * sizeof(int32_t));
    return reading->cost;
}

void streamasr_forget_readings(Search *s) { forget_readings(s); }

/* ---- the sub-word head's opinion ---- */

#define FAINTEST -40.0f /* as in core.rescore */

/* The forward algorithm by columns: one column is one state of a target at all emissions, and
 * depends on the two columns before it alone. Targets that begin alike share their columns. */
typedef struct {
    const float *log_probs;
    int32_t emissions, units;
    double *scales;  /* [emissions]: the largest value of a likely target, taken off all */
    double **probs;  /* [units]: columns of probabilities over their scales, made when needed */
    double *columns; /* [states][emissions] */
} Forward;

static double raw_prob(const Forward *f, int32_t at, int32_t unit) {
    float log_prob = f->log_probs[(size_t)at * (size_t)f->units + (size_t)unit];
    return exp(log_prob > FAINTEST ? log_prob : FAINTEST);
}

static const double *probs_of(Forward *f, int32_t unit) {
    if (f->probs[unit] == NULL) {
        double *probs = f->probs[unit] = sized(NULL, (size_t)f->emissions * sizeof(double));
        for (int32_t t = 0; t < f->emissions; t++) probs[t] = raw_prob(f, t, unit) / f->scales[t];
    }
    return f->probs[unit];
}

static int32_t unit_of(const int32_t *target, int32_t state) {
    return state & 1 ? target[state / 2] : 0;
}

static int may_skip(const int32_t *target, int32_t state) {
    return state > 1 && (state & 1) && target[state / 2] != target[state / 2 - 1];
}

/* Scales from one target, row by row. */
static void find_scales(Forward *f, const int32_t *target, int32_t length) {
    int32_t n = 2 * length + 1;
    double *row = sized(NULL, (size_t)n * sizeof(double));
    memset(row, 0, (size_t)n * sizeof(double));
    for (int32_t t = 0; t < f->emissions; t++) {
        int32_t reach = 2 * t + 2 < n ? 2 * t + 2 : n;
        double scale = 0.0;
        for (int32_t i = reach - 1; i >= 0; i--) {
            double sum = t ? row[i] : i < 2;
            if (t && i > 0) sum += row[i - 1];
            if (t && may_skip(target, i)) sum += row[i - 2];
            row[i] = sum * raw_prob(f, t, unit_of(target, i));
            if (row[i] > scale) scale = row[i];
        }
        f->scales[t] = scale > 1e-300 ? scale : 1e-300;
        for (int32_t i = 0; i < reach; i++) row[i] /= f->scales[t];
    }
    free(row);
}

static void fill_column(Forward *f, const int32_t *target, int32_t state) {
    size_t n = (size_t)f->emissions;
    const double *probs = probs_of(f, unit_of(target, state));
    double *own = f->columns + (size_t)state * n;
    const double *before = state > 0 ? own - n : NULL;
    const double *skipped = may_skip(target, state) ? own - 2 * n : NULL;
    own[0] = state < 2 ? probs[0] : 0.0;
    for (size_t t = 1; t < n; t++) {
        double sum = own[t - 1];
        if (before) sum += before[t - 1];
        if (skipped) sum += skipped[t - 1];
        own[t] = sum * probs[t];
    }
}

/* log P(target | emissions) of `count` targets, which follow each other sorted; log_probs
 * [emissions, units]. All are held against target number `likely`: one that is 690 nats less
 * likely than that counts as this much less. */
void streamasr_ctc(const float *log_probs, int32_t emissions, int32_t units,
                   const int32_t *targets, const int32_t *lengths, int32_t count, int32_t likely,
                   double *logs) {
    int32_t longest = 0, skipped = 0;
    for (int32_t k = 0; k < likely; k++) skipped += lengths[k];
    for (int32_t k = 0; k < count; k++)
        if (lengths[k] > longest) longest = lengths[k];
    size_t n = (size_t)emissions;
    Forward f = {log_probs, emissions, units, sized(NULL, n * sizeof(double)),
                 sized(NULL, (size_t)units * sizeof(double *)),
                 sized(NULL, (size_t)(2 * longest + 1) * n * sizeof(double))};
    for (int32_t u = 0; u < units; u++) f.probs[u] = NULL;
    find_scales(&f, targets + skipped, lengths[likely]);
    double scaled = 0.0;
    for (int32_t t = 0; t < emissions; t++) scaled += log(f.scales[t]);
    const int32_t *last = NULL;
    int32_t last_length = 0;
    for (int32_t k = 0; k < count; k++) {
        int32_t same = 0; /* units shared with the target before */
        while (same < last_length && same < lengths[k] && last[same] == targets[same]) same++;
        for (int32_t i = last ? 2 * same + 1 : 0; i <= 2 * lengths[k]; i++)
            fill_column(&f, targets, i);
        const double *end = f.columns + (size_t)(2 * lengths[k]) * n + (n - 1);
        double total = *end + (lengths[k] ? *(end - n) : 0.0);
        logs[k] = scaled + log(total > 1e-300 ? total : 1e-300);
        last = targets, last_length = lengths[k];
        targets += lengths[k];
    }
    for (int32_t u = 0; u < units; u++) free(f.probs[u]);
    free(f.scales), free(f.probs), free(f.columns);
}
