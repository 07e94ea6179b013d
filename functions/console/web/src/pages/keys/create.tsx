// A new key.

import { useState } from "preact/hooks";

import { type CreatedKey, api, dataOf, freshName, onceUnder } from "../../api/client";
import { useDeed } from "../../ask";
import { useProjects } from "../../projects";
import { catalogue, me } from "../../session";
import { FormDialog } from "../../ui/dialog";
import { Select } from "../../ui/field";
import { type Draft, NO_LIMITS, Settings, read } from "./settings";

export function CreateKey({ onClose, onMade }: { onClose: () => void; onMade: (key: CreatedKey) => void }) {
  const offer = catalogue.value;
  const projects = useProjects();
  const [project, setProject] = useState(me.value?.default_project_id ?? "");
  const [environment, setEnvironment] = useState(offer?.environments[0]?.name ?? "");
  const [draft, setDraft] = useState<Draft>({ name: "", preset: offer?.default_preset ?? "", scopes: [], budget: "", allowlist: "", expiry: "never", expiresAt: "", limits: NO_LIMITS });
  const [isTried, setTried] = useState(false);
  // The same for every attempt at this very key: an answer that was lost comes again, and no second key is made.
  const [name, setName] = useState(freshName);
  const deed = useDeed();
  if (!offer) return null;
  const { errors, body } = read(draft);
  const change = (part: Partial<Draft>) => {
    setDraft((before) => ({ ...before, ...part }));
    setName(freshName());
    deed.forget();
  };
  const create = () => {
    setTried(true);
    if (Object.keys(errors).length > 0) return;
    void deed.attempt(async () => {
      onMade(await dataOf(api.POST("/v1/api-keys", { body: { ...body, project_id: project, environment }, headers: onceUnder(name) })));
    });
  };
  const told = deed.problem?.field ? { [deed.problem.field.replace("limits.", "")]: deed.problem.message } : {};
  const limitsOf = offer.environments.find((one) => one.name === environment);
  const places = projects.length > 0 ? projects.map((one) => [one.id, one.name] as const) : [[project, "default"] as const];
  return (
    <FormDialog title="New key" verb="Create the key" wide isBusy={deed.isBusy} problem={deed.problem} onSubmit={create} onClose={onClose}>
      <div class="columns">
        <Select
          label="Project"
          value={project}
          options={places}
          onChange={(id) => {
            setProject(id);
            setName(freshName());
          }}
        />
        <Select
          label="Environment"
          value={environment}
          options={offer.environments.map((one) => [one.name, `${one.name} (${one.prefix}…)`] as const)}
          hint={limitsOf && `Requests are kept for ${limitsOf.retention_days} days.`}
          onChange={(one) => {
            setEnvironment(one);
            setName(freshName());
          }}
        />
      </div>
      <Settings draft={draft} change={change} errors={{ ...(isTried ? errors : {}), ...told }} catalogue={offer} defaults={limitsOf?.limits} />
    </FormDialog>
  );
}
