// Every call that @gitbeaker/rest has for secure files. Prints a word and what came back as JSON, a line for each.
const { createHash } = require("crypto");
const { Gitlab } = require("@gitbeaker/rest");

const [host, project, id, name, ...login] = process.argv.slice(2);
const tell = (what, found) => console.log(what, JSON.stringify(found === undefined ? null : found));
const refused = (error) => ({ status: error.cause.response.status, description: error.cause.description });

async function main() {
  const api = new Gitlab({ host, ...Object.fromEntries([login]) });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  const file = { content: new Blob([bytes]), filename: name.split("/").pop() };

  // By number: `create` alone does not escape a path.
  const made = await api.SecureFiles.create(id, name, file);
  tell("made", made);
  tell("again", await api.SecureFiles.create(id, name, file).catch(refused));
  tell("shown", await api.SecureFiles.show(project, made.id));
  tell("all", await api.SecureFiles.all(project));
  const first = await api.SecureFiles.all(project, { showExpanded: true, perPage: 1, page: 1 });
  tell("first", first.paginationInfo);
  const content = await api.SecureFiles.download(project, made.id);
  const back = Buffer.from(await content.arrayBuffer());
  tell("download", { type: content.type, checksum: createHash("sha256").update(back).digest("hex") });
  tell("removed", await api.SecureFiles.remove(project, made.id));
  tell("missing", await api.SecureFiles.show(project, made.id).catch(refused));
  tell("left", await api.SecureFiles.all(project));
}

main().catch((error) => {
  console.error(error, error.cause);
  process.exit(1);
});
