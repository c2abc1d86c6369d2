// Every call that @gitbeaker/rest has for Markdown uploads, repository files and job artifacts. Prints a word and what
// came back as JSON, a line for each. `job` is one with artifacts, on a branch with a slash in its name.
const { createHash } = require("crypto");
const { Gitlab } = require("@gitbeaker/rest");

const [host, project, token, branch, jobId, job] = process.argv.slice(2);
const tell = (what, found) => console.log(what, JSON.stringify(found === undefined ? null : found));
const refused = (error) => ({ status: error.cause.response.status, description: error.cause.description });
const sum = async (found) => {
  const bytes = typeof found === "string" ? found : Buffer.from(await found.arrayBuffer());
  return createHash("sha256").update(bytes).digest("hex");
};
const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));

async function uploads(api) {
  const calls = api.ProjectMarkdownUploads;
  const made = await calls.create(project, { content: new Blob([bytes]), filename: "screen shot.png" });
  tell("uploads.made", made);
  tell("uploads.all", (await calls.all(project)).map((each) => each.filename));
  const [, , secret, name] = made.url.split("/"); // the server has changed the space
  tell("uploads.byId", await sum(await calls.download(project, made.id)));
  tell("uploads.bySecret", await sum(await calls.download(project, secret, name)));
  await calls.remove(project, secret, name);
  const other = await calls.create(project, { content: new Blob([bytes]), filename: "a.bin" });
  await calls.remove(project, other.id);
  tell("uploads.left", await calls.all(project));
}

async function files(api) {
  const calls = api.RepositoryFiles;
  const path = "app/a b.key";
  await calls.create(project, "README.md", "main", "# App\n", "begin");
  const from = { startBranch: "main" };
  tell("files.made", await calls.create(project, path, branch, "one\ntwo\n", "add", from));
  tell("files.shown", await calls.show(project, path, branch));
  tell("files.raw", await sum(await calls.showRaw(project, path, branch)));
  const changed = { encoding: "base64" };
  await calls.edit(project, path, branch, bytes.toString("base64"), "change", changed);
  tell("files.rawBinary", await sum(await calls.showRaw(project, path, branch)));
  await calls.create(project, "lines.txt", branch, "one\ntwo\n", "add");
  const blamed = await calls.allFileBlames(project, "lines.txt", branch, { range: { start: 2, end: 2 } });
  tell("files.blamed", blamed.map((each) => each.lines));
  const taken = calls.create(project, path, branch, "again", "add");
  tell("files.taken", await taken.catch(refused));
  await calls.remove(project, path, branch, "remove");
  tell("files.missing", await calls.show(project, path, branch).catch(refused));
}

async function artifacts(api) {
  const calls = api.JobArtifacts;
  const number = Number(jobId);
  tell("artifacts.byJob", await sum(await calls.downloadArchive(project, { jobId: number })));
  tell("artifacts.byRef", await sum(await calls.downloadArchive(project, { ref: branch, job })));
  const place = { artifactPath: "out/app.bin" };
  tell("artifacts.fileByJob", await sum(await calls.downloadArchive(project, { jobId: number, ...place })));
  tell("artifacts.fileByRef", await sum(await calls.downloadArchive(project, { ref: branch, job, ...place })));
  tell("artifacts.kept", (await calls.keep(project, number)).artifacts_expire_at);
  await calls.remove(project, { jobId: number });
  tell("artifacts.missing", await calls.downloadArchive(project, { jobId: number }).catch(refused));
  tell("artifacts.allRemoved", await calls.remove(project));
}

async function main() {
  const api = new Gitlab({ host, token });
  await uploads(api);
  await files(api);
  await artifacts(api);
}

main().catch((error) => {
  console.error(error, error.cause);
  process.exit(1);
});
