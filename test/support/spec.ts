/** A small run.yaml that is right; its lines are counted on by tests. */
export const SPEC = `name: toy
rounds: 2
sampleBytes: 200
server:
  model: models/server
  training: { learningRate: 0.001 }
clients:
  - id: harbour
    model: models/harbour
    private: harbour.jsonl
    training: { learningRate: 0.002 }
  - id: ward
    model: models/ward
    private: ward.jsonl
    training: { learningRate: 0.003 }
public:
  - public.jsonl
evaluation:
  - { name: harbour, data: heldout-harbour.jsonl, owner: harbour }
`;
