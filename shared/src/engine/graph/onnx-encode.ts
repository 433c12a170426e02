import type { Attribute, GraphBuilder, GraphNode, Initializer, Value } from "./builder.ts";
import { ELEMENT_CODES, MICROSOFT } from "./operators.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

/** The newest that onnxruntime-node 1.30 and these graphs' operators agree on. */
const IR_VERSION = 9;
const OPSET = 20;
/** AttributeProto.AttributeType */
const FLOAT = 1;
const INT = 2;
const STRING = 3;
const INTS = 7;
/** TensorProto.DataLocation */
const EXTERNAL = 1;

/** Writes a graph as an ONNX ModelProto. Field numbers are those of onnx.proto. */
export function encodeOnnx(graph: GraphBuilder): Uint8Array {
  const model = new ProtobufWriter();
  model.integer(1, IR_VERSION);
  model.text(2, "fedmkt");
  model.message(7, (body) => {
    graph.nodes.forEach((node, index) => {
      body.message(1, (writer) => writeNode(writer, node, index));
    });
    body.text(2, "graph");
    for (const initializer of graph.initializers) body.message(5, (writer) => writeTensor(writer, initializer));
    for (const input of [...graph.inputs, ...graph.residents.map(({ value }) => value)])
      body.message(11, (writer) => writeValueInfo(writer, input));
    for (const output of graph.outputs) body.message(12, (writer) => writeValueInfo(writer, output));
  });
  for (const [domain, version] of [
    ["", OPSET],
    [MICROSOFT, 1],
  ] as const)
    model.message(8, (writer) => {
      writer.text(1, domain);
      writer.integer(2, version);
    });
  return model.bytes();
}

function writeNode(writer: ProtobufWriter, node: GraphNode, index: number): void {
  for (const input of node.inputs) writer.text(1, input.name);
  for (const output of node.outputs) writer.text(2, output.name);
  writer.text(3, `${node.operator}_${index}`);
  writer.text(4, node.operator);
  for (const [name, attribute] of Object.entries(node.attributes))
    writer.message(5, (inner) => writeAttribute(inner, name, attribute));
  writer.text(7, node.domain);
}

function writeAttribute(writer: ProtobufWriter, name: string, attribute: Attribute): void {
  writer.text(1, name);
  if (typeof attribute === "number") {
    writer.integer(3, attribute);
    writer.integer(20, INT);
  } else if ("float" in attribute) {
    writer.float(2, attribute.float);
    writer.integer(20, FLOAT);
  } else if ("text" in attribute) {
    writer.text(4, attribute.text);
    writer.integer(20, STRING);
  } else {
    for (const number of attribute) writer.integer(8, number);
    writer.integer(20, INTS);
  }
}

function writeTensor(writer: ProtobufWriter, { value, data }: Initializer): void {
  for (const dimension of value.shape) writer.integer(1, dimension as number);
  writer.integer(2, ELEMENT_CODES[value.type]);
  writer.text(8, value.name);
  if (data instanceof Uint8Array) {
    writer.data(9, data);
    return;
  }
  for (const [key, text] of [
    ["location", data.file],
    ["offset", String(data.begin)],
    ["length", String(data.length)],
  ])
    writer.message(13, (entry) => {
      entry.text(1, key);
      entry.text(2, text);
    });
  writer.integer(14, EXTERNAL);
}

function writeValueInfo(writer: ProtobufWriter, value: Value): void {
  writer.text(1, value.name);
  writer.message(2, (type) =>
    type.message(1, (tensor) => {
      tensor.integer(1, ELEMENT_CODES[value.type]);
      tensor.message(2, (shape) => {
        for (const dimension of value.shape)
          shape.message(1, (entry) => {
            if (typeof dimension === "number") entry.integer(1, dimension);
            else entry.text(2, dimension);
          });
      });
    }),
  );
}
