// The client of `mgpu lsp`, and the command that shows the page of `mgpu plan --html` beside the program.
const vscode = require("vscode");
const { execFile } = require("child_process");
const fs = require("fs/promises");
const os = require("os");
const path = require("path");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function settings() {
    const c = vscode.workspace.getConfiguration("mgpu");
    return { path: c.get("path"), ranks: c.get("ranks"), params: c.get("params") };
}

async function start() {
    const { path: command, ranks, params } = settings();
    const server = { command, args: ["lsp"] };
    client = new LanguageClient("mgpu", "mgpu", server, {
        documentSelector: [{ language: "mgpu" }],
        initializationOptions: { ranks, params },
        synchronize: { configurationSection: "mgpu", fileEvents: vscode.workspace.createFileSystemWatcher("**/*.mgpu") },
    });
    try {
        await client.start();
    } catch (e) {
        vscode.window.showErrorMessage(`\`${command} lsp\` does not start: ${e.message}. Set \`mgpu.path\`.`);
    }
}

async function showPlan() {
    const editor = vscode.window.activeTextEditor;
    if (!editor || editor.document.languageId !== "mgpu") return;
    await editor.document.save();
    const file = editor.document.fileName;
    const { path: command, ranks, params } = settings();
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), "mgpu-"));
    const page = path.join(folder, "plan.html");
    const given = Object.entries(params).flatMap(([k, v]) => ["-p", `${k}=${v}`]);
    execFile(command, ["plan", file, "-n", String(ranks), ...given, "--html", page], async (error, _, stderr) => {
        if (error) {
            vscode.window.showErrorMessage(`The program has no plan: ${stderr.trim() || error.message}`);
        } else {
            const title = `Plan of ${path.basename(file)}`;
            const panel = vscode.window.createWebviewPanel("mgpu.plan", title, vscode.ViewColumn.Beside, { enableScripts: true });
            panel.webview.html = await fs.readFile(page, "utf8");
        }
        await fs.rm(folder, { recursive: true, force: true });
    });
}

exports.activate = async (context) => {
    context.subscriptions.push(
        vscode.commands.registerCommand("mgpu.showPlan", showPlan),
        vscode.commands.registerCommand("mgpu.restart", async () => {
            await client?.stop();
            await start();
        }),
    );
    await start();
};

exports.deactivate = () => client?.stop();
