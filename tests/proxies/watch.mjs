/**
 * The client on Node, with real sockets: one stream for each `[name, baseUrl, topic, isPresent]` of the first argument.
 * Who is present enters its topic as a place, and stays there after the end.
 * Tells on standard output, one JSON line each: `{name, live: true}`; `{name, mark}` for each event that carries a
 * mark; and after an event of type `done` what the stream came to.
 */

import { connect } from "../../static/client/index.js";

const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

function watch([name, baseUrl, topic, isPresent]) {
    const events = [];
    const faults = [];
    const stream = connect({ baseUrl, topics: topic, after: "earliest", tabs: false });
    const place = isPresent ? stream.place(topic, { data: { name } }) : null;
    stream.on(":fault", ({ transport, kind }) => faults.push(`${transport} ${kind}`));
    stream.once(":state", function check({ state }) {
        if (state === "live") tell({ name, live: true });
        else stream.once(":state", check);
    });
    stream.on("*", ({ id, type, data }) => {
        events.push(id);
        if (data?.mark !== undefined) tell({ name, mark: data.mark });
        if (type !== "done") return;
        const { anomalies, gaps } = stream.stats;
        tell({ name, done: true, events, transport: stream.transport, anomalies, gaps, faults });
        if (place === null) stream.close();
    });
}

JSON.parse(process.argv[2]).forEach(watch);
