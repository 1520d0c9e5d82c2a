package restore

import "fmt"

// Languages of run-books.
const (
	English  = "en"
	Japanese = "ja"
)

// say returns a text in a language.
func say(lang, key string, args ...any) string {
	t, ok := texts[key]
	if !ok {
		return key
	}
	s := t[0]
	if lang == Japanese {
		s = t[1]
	}
	if len(args) > 0 {
		return fmt.Sprintf(s, args...)
	}
	return s
}

func english(key string) string { return say(English, key) }

// texts are all sentences of run-books and of what a restore says, in English and
// in Japanese. step.X is what the step X does, why.X the reason, expect.X what must
// be answered, state.X what the databases are like if the restore ends within it.
var texts = map[string][2]string{
	"title":        {"Restoring %s", "%s のリストア"},
	"generated":    {"This run-book was made for this very set: paths, names and statements are the real ones. What only you can know is left empty behind a `=`. It is what the command `datfs restore iris` runs, step by step.", "この手順書は、このセット専用に作成されたものです。パス、名前、ステートメントはすべて実際のものです。利用者にしかわからない値は `=` の後が空欄になっています。内容は、コマンド `datfs restore iris` が実行するものとステップごとに同じです。"},
	"unverified":   {"No InterSystems instance was at hand when datfs was written: all of this follows the manuals and published examples. Rehearse it (`datfs drill`) before you need it.", "datfs の開発時には InterSystems のインスタンスを利用できませんでした。内容はすべてマニュアルと公開されている例に基づいています。必要になる前に、必ず予行演習(`datfs drill`)を行ってください。"},
	"facts":        {"The set", "セットの内容"},
	"fact.product": {"product", "製品"},
	"fact.host":    {"host", "ホスト"},
	"fact.manager": {"manager directory", "マネージャ・ディレクトリ"},
	"fact.time":    {"backup", "バックアップ日時"},
	"fact.inc":     {"incremental", "インクリメンタル・バックアップ(差分)"},
	"fact.first":   {"first journal file (required)", "最初のジャーナル・ファイル(必須)"},
	"fact.last":    {"last journal file", "最後のジャーナル・ファイル"},
	"fact.current": {"the current one of the instance", "インスタンスの現在のファイル"},
	"fact.reaches": {"brings the databases to", "データベースが復元される時点"},
	"fact.now":     {"the moment of the restore", "リストアを実行した時点"},
	"fact.offset":  {"marker of the backup", "バックアップのマーカー"},
	"table":        {"| | database | directory in the set | restored to |", "| | データベース | セット内のディレクトリ | リストア先 |"},
	"dirty":        {"The files below `databases/` are *dirty* copies: they were copied while in use and are DAMAGED until the incremental is applied. They are consistent only when the journals are applied too. Nobody may use a database before the last step.", "`databases/` 以下のファイルは**ダーティ・コピー**です。使用中にコピーされたため、インクリメンタル・バックアップを適用するまでは**破損した状態**です。さらにジャーナルを適用して初めて整合性が取れます。最後のステップが終わるまで、誰もデータベースを使用しないようにしてください。"},
	"encrypted":    {"Encrypted: %s. The key must be active. The incremental holds their content in the clear.", "暗号化データベース: %s。暗号化キーをアクティブにしておく必要があります。インクリメンタル・バックアップの内容は暗号化されていません。"},
	"mirrored":     {"Mirrored: %s. `^DBREST` refuses an active mirrored database on the primary; elsewhere it must be activated in a mirror, or removed from it, before the incremental.", "ミラー・データベース: %s。`^DBREST` は、プライマリ上のアクティブなミラー・データベースのリストアを拒否します。別のシステムでは、インクリメンタル・バックアップを適用する前に、ミラーでアクティブ化するか、ミラーから削除する必要があります。"},
	"unjournaled":  {"Not journaled: %s. They come to the moment of the backup only.", "ジャーナル対象外のデータベース: %s。バックアップ時点までしか復元されません。"},
	"problems":     {"What is to be known of this set:", "このセットについての注意事項:"},

	"known.damaged": {"DAMAGE IS KNOWN of this set: in %s, found at %s by %s, and not found to be gone since.", "このセットには**既知の破損があります**: %s(%s に %s で検出。その後、解消は確認されていません)。"},
	"known.clean":   {"The set was restored and found sound at %s by %s.", "このセットは %s にリストアされ、%s で健全性が確認されています。"},
	"known.part":    {"Of the set only %s was restored and found sound, at %s by %s.", "このセットのうち %s だけが、%s にリストアされ、%s で健全性が確認されています。"},
	"known.never":   {"The set was never restored and checked: that it can be is not known.", "このセットはまだリストアして確認されたことがありません。リストアできるかどうかは不明です。"},

	"state.unknown": {"In which state it leaves the databases is not known: do not use them before they are restored and checked", "データベースの状態は不明です。リストアして確認するまで使用しないでください"},

	"ways":           {"Ways back. Choose one:", "復元方法は次のとおりです。いずれか 1 つを選んでください。"},
	"noway":          {"%s: not with this set: %s", "%s: このセットではできません: %s"},
	"unlistable":     {"Left out of this run-book, as they cannot be restored: %s. Their directories have a comma, a quote or a control character, which ^DBREST's list of directories cannot have; the copies are below `databases/`.", "次のデータベースはリストアできないため、この手順書には含まれていません: %s。ディレクトリ名に、^DBREST のディレクトリ・リストでは使えないコンマ、引用符、または制御文字が含まれています。コピーは `databases/` の下にあります。"},
	"way.databases":  {"One database, or some, into the running instance", "稼働中のインスタンスへ、1 つまたは複数のデータベースを戻す"},
	"way.everything": {"Everything, while the instance is down", "インスタンスを停止した状態で、すべてを戻す"},
	"way.elsewhere":  {"To another directory, or another server", "別のディレクトリ、または別のサーバへ戻す"},
	"why.databases": {
		"The instance is up; start it first if it is not, preferably in maintenance mode, so that the recovery of all other databases is done. If it does not start because of the damaged database, rename that file and take \"mount required at startup\" from the database. If it was started in maintenance mode, stop it at the end and start it as always. The write image journal (WIJ) is left alone. Leave out the lines of databases that are not to be restored: `%s runbook %s --database NAME` prints this for some only.",
		"インスタンスが稼働している必要があります。停止している場合は、先に(できればメンテナンス・モードで)起動し、他のデータベースのリカバリを完了させてください。破損したデータベースが原因で起動できない場合は、そのファイルの名前を変更し、データベースの「起動時にマウントが必要」の設定を外してください。メンテナンス・モードで起動した場合は、最後に停止し、通常どおり起動してください。ライト・イメージ・ジャーナル(WIJ)には触れないでください。リストアしないデータベースの行は省いてください。`%s runbook %s --database 名前` で、必要なデータベースだけの手順書を表示できます。",
	},
	"system": {
		"%[1]s is not among them: the manual restores it to another directory (`%[2]s runbook %[3]s --redirect %[1]s=DIR`), and puts it in its place when the instance is down.",
		"%[1]s は含まれていません。マニュアルでは、別のディレクトリへリストアし(`%[2]s runbook %[3]s --redirect %[1]s=ディレクトリ`)、インスタンスの停止後に元の場所に置きます。",
	},
	"why.everything": {
		"The instance is down, and is not started before the step that does it. A second instance, with another name and another directory on the same machine, applies the incremental and the journals; it needs no definitions for these databases, and no application runs in it. What the set does not hold must be there already: the installation, IRISLIB and IRISTEMP, the configuration (a copy is in `configuration/`). (An older procedure is in circulation: rename the WIJ, start the product, restore in place. The manual's current one, followed here, does not start the instance on damaged databases, where every process that starts with it could write to them before the incremental is applied.)",
		"インスタンスは停止した状態にし、起動のステップまで決して起動しないでください。同じマシン上の、名前とディレクトリの異なる 2 つ目のインスタンスが、インクリメンタル・バックアップとジャーナルを適用します。2 つ目のインスタンスには、これらのデータベースの構成定義は不要です。2 つ目のインスタンスでは、アプリケーションを動かさないでください。セットに含まれないもの(インストール環境、IRISLIB、IRISTEMP、構成ファイル。構成ファイルの写しは `configuration/` にあります)は、あらかじめ用意しておく必要があります。(WIJ の名前を変更して製品を起動し、その場でリストアするという古い手順も出回っていますが、ここでは現在のマニュアルの手順に従います。破損したままのデータベースでインスタンスを起動すると、インクリメンタル・バックアップを適用する前に、起動したプロセスが書き込む恐れがあるためです。)",
	},
	"why.elsewhere": {
		"Into an instance that is up, of this or of another system. On another system: the same character width, a fitting locale, the same byte order, and the encryption key active if there is one. Never put another system's IRISSYS (CACHESYS) in the place of an instance's own. The directories below are examples: `%s runbook %s --to DIR` prints this with yours.",
		"同じシステムまたは別のシステムの、稼働中のインスタンスへ戻します。別のシステムの場合は、文字幅(8 ビット/Unicode)が同じで、ロケールが適合し、バイト・オーダーが同じであること、暗号化している場合は暗号化キーがアクティブであることが必要です。別のシステムの IRISSYS(CACHESYS)を、インスタンス自身のものと置き換えないでください。以下のディレクトリは例です。`%s runbook %s --to ディレクトリ` で、実際のディレクトリの手順書を表示できます。",
	},
	"archive": {
		"The archive: journal files that were archived after the backup (`datfs journal archive`) are in `journals/%s/` of the mount, and not in what follows. `%s` prints these steps with them. By hand, see the step that copies files out of the set.",
		"ジャーナルのアーカイブ: バックアップ後にアーカイブされたジャーナル・ファイル(`datfs journal archive`)は、マウントの `journals/%s/` にあり、以下の手順には含まれていません。`%s` で、それらを含む手順書を表示できます。手作業で使用する場合は、ファイルをセットから取り出すステップを参照してください。",
	},
	"second":  {"`SECOND` is the name of the second instance, as `%s list` has it. It is on this machine, and up. Write it behind the `=`; nothing below works without it:", "`SECOND` は 2 つ目のインスタンスの名前です。このマシン上で稼働している必要があります。`%s list` で確認し、`=` の後に実際のインスタンス名を入力してください。入力しないと以降のコマンドは実行できません:"},
	"command": {"With datfs, all of it in one command:", "datfs なら 1 つのコマンドで実行できます:"},
	"byhand":  {"By hand:", "手作業の場合:"},
	"stop":    {"Stop at the first step that does not answer as it should: an error trap is a line that begins with `@@ERR`. End each session with `halt`.", "期待どおりの応答がないステップがあれば、そこで中止してください。`@@ERR` で始まる行は、エラーが発生したことを示します。各セッションは `halt` で終了してください。"},
	"paste": {
		"How to use the blocks: in one terminal, with bash, ksh or sh, as root (or as the instance's owner, who does not see the processes of others). Paste each block as a whole. A block in parentheses stops at its first command that fails; go on only if its last line is `OK`. It may be pasted again. The variables are of this way alone: in a new terminal set them again first.",
		"ブロックの使い方: 1 つのターミナルで、bash、ksh または sh を使い、root(またはインスタンスの所有者。ただし他のユーザのプロセスは見えません)として実行してください。各ブロックは、全体をまとめて貼り付けてください。括弧で囲まれたブロックは、最初に失敗したコマンドで停止します。最後の行に `OK` と表示された場合だけ、次へ進んでください。ブロックは再度貼り付けてもかまいません。変数は、この復元方法専用です。新しいターミナルを開いた場合は、最初に変数を設定し直してください。",
	},
	"setdir":    {"`SET` is the directory of this set in the mount, which the instance need not be able to read; `WORK` is a directory that the instance can write to, and stands in the statements below as well:", "`SET` はマウント内のこのセットのディレクトリです(インスタンスから読める必要はありません)。`WORK` はインスタンスが書き込めるディレクトリで、以下のステートメントにも同じパスが含まれています:"},
	"unmounted": {"The repository was not mounted when this was printed. Mount it, such as with `%s mount --background DIR` (DIR is an empty directory), and write its full path behind `MOUNT=`:", "この手順書の作成時、リポジトリはマウントされていませんでした。`%s mount --background ディレクトリ`(空のディレクトリを指定)などでマウントし、その絶対パスを `MOUNT=` の後に入力してください:"},
	"terminal":  {"In a session of the instance, `%s`:", "インスタンスのセッション(`%s`)で:"},
	"expect":    {"Expect: ", "期待される応答: "},
	"otherwise": {"If it ends here: ", "このステップで中断した場合: "},
	"owners":    {"Each line `@@OWN` is a database of the configuration with its directory: none of another name may be in a directory that is restored to. That directory must not be an instance's own either: one with `startup.last` or `iris.cpf`.", "`@@OWN` の各行は構成にあるデータベースとそのディレクトリです。リストア先のディレクトリに別の名前のデータベースがあってはいけません。また、`startup.last` や `iris.cpf` のある、インスタンス自身のディレクトリをリストア先にしてはいけません。"},
	"again":     {" To go on, do this step again.", "再開するには、このステップをもう一度実行してください。"},
	"again.at":  {" To go on, go back to step %d.", "再開するには、ステップ %d に戻ってください。"},
	"again.dismount": {
		" First dismount the databases in the second instance, with the statements of step %d.",
		"先に、ステップ %d のステートメントで、2 つ目のインスタンスからデータベースをディスマウントしてください。",
	},
	"again.copy":  {" If the second instance was stopped since, go back to step %d instead.", "その間に 2 つ目のインスタンスを停止した場合は、代わりにステップ %d に戻ってください。"},
	"again.mount": {" If the instance was stopped since, mount the databases first, with the statements of step %d.", "その間にインスタンスを停止した場合は、先にステップ %d のステートメントでデータベースをマウントしてください。"},
	"down":        {"It must be `down`, and stay so; if it is not, the block ends without `OK`:", "インスタンスは停止(`down`)しており、停止したままでなければなりません。停止していない場合、ブロックは `OK` を表示せずに終了します:"},
	"stop.mark":   {".", "。"},
	"file":        {"The list of directories:", "ディレクトリのリスト:"},
	"unused":      {"No process may have the files open: `fuser` (package psmisc) must list none. If it does, the block prints their numbers and ends without `OK`.", "どのプロセスもファイルを開いていてはいけません。`fuser`(パッケージ psmisc)でプロセスが見つかると、ブロックはプロセス番号を表示し、`OK` を表示せずに終了します。"},
	"links":       {"If a file is a symbolic link, the block shows it and ends without `OK`: rsync would replace the link by a file, in a file system that may be the wrong one. Put the file itself in the place of the link, or make its directory the link, and paste the block again.", "ファイルがシンボリック・リンクの場合、ブロックはそれを表示し、`OK` を表示せずに終了します。rsync はリンクを通常のファイルに置き換えるため、誤ったファイル・システムに書き込まれる恐れがあるからです。リンクの場所にファイル自体を置くか、ディレクトリの方をリンクにしてから、ブロックを再度貼り付けてください。"},
	"nodir":       {"If a directory is missing, the block says so and ends: is its file system mounted? Only if the directory itself is lost, make it with `%s`, and paste the block again.", "ディレクトリがない場合、ブロックはそれを表示して終了します。ファイル・システムがマウントされているか確認してください。ディレクトリ自体が失われている場合に限り、`%s`(DIR は実際のパス)で作成し、ブロックを再度貼り付けてください。"},
	"survived":    {"If journal files that the instance wrote after the backup are still there, copy them and its own `journal.log` into `\"$WORK\"/journals` as well, and give the newest of them as `j.LastFile` in step %d: datfs does so by itself.", "インスタンスがバックアップ後に書き込んだジャーナル・ファイルが残っている場合は、それらとインスタンス自身の `journal.log` も `\"$WORK\"/journals` にコピーし、ステップ %d の `j.LastFile` に最新のファイルを指定してください(datfs のコマンドは自動的に行います)。"},
	"archive.databases": {
		"Archived journal files: `ls %[1]s` shows those that there are. If the instance has purged files after %[2]s, copy these from there, each by `cp %[1]s/FILE \"$WORK\"/journals/`; the journal restore looks there too.",
		"アーカイブされたジャーナル・ファイルは `ls %[1]s` で確認できます。インスタンスが %[2]s より後のファイルをパージしている場合は、それぞれ `cp %[1]s/ファイル名 \"$WORK\"/journals/` でコピーしてください。ジャーナルの適用時には、このディレクトリも検索されます。",
	},
	"archive.others": {
		"Archived journal files: `ls %[1]s` shows those that there are. To go on with them, copy those after %[2]s that follow without a gap (`%[3]s journal list --instance %[4]s` shows gaps), each by `cp %[1]s/FILE \"$WORK\"/journals/`, and in the same way the `journal.log` there in the place of the set's. In the statement with `j.LastFile` in step %[5]d write the name of the last one, without a `z` at its end, for %[2]s; `j.FirstFile`, `j.JournalLog` and `j.UseJournalLocation` stay as they are.",
		"アーカイブされたジャーナル・ファイルは `ls %[1]s` で確認できます。それらも適用する場合は、%[2]s の後に途切れなく続くファイルを(途切れている箇所は `%[3]s journal list --instance %[4]s` で確認できます)、それぞれ `cp %[1]s/ファイル名 \"$WORK\"/journals/` でコピーし、同様に、セットのものの代わりにそこの `journal.log` もコピーしてください。次に、`j.LastFile` を含むステートメント(ステップ %[5]d)で、末尾の `z` を除いた最後のファイルの名前を %[2]s の代わりに指定してください。`j.FirstFile`、`j.JournalLog`、`j.UseJournalLocation` はそのままです。",
	},
	"archive.open": {
		"The set's %[1]s was still written to when it was copied. To go on with later files, remove it (`rm \"$WORK\"/journals/%[1]s`) and copy the one of the archive in its place.",
		"セットの %[1]s は、まだ書き込み中にコピーされたものです。後続のファイルを適用する場合は、これを削除し(`rm \"$WORK\"/journals/%[1]s`)、代わりにアーカイブのものをコピーしてください。",
	},
	"after": {"Afterwards", "リストア後"},
	"after.text": {
		"Take a new backup soon: incremental backups that others take of this instance build on databases that are no more. Check the application. Remove the directory `WORK` (`rm -r \"${WORK:?}\"`): the incremental in it is not encrypted. Keep this set until a later one is validated.",
		"早めに新しいバックアップを取得してください。このインスタンスで別途取得しているインクリメンタル・バックアップは、リストア前のデータベースを前提としています。アプリケーションの動作を確認してください。ディレクトリ `WORK` は削除してください(`rm -r \"${WORK:?}\"`)。その中のインクリメンタル・バックアップは暗号化されていません。後のセットが検証されるまで、このセットを保管してください。",
	},
	"after.wij":    {"The WIJ that was moved aside may be removed when the databases have proved good.", "退避した WIJ は、データベースが正常であることを確認した後に削除できます。"},
	"after.mirror": {"A mirrored database of an async member has to be activated when the mirror has started.", "非同期メンバのミラー・データベースは、ミラーの起動後にアクティブ化する必要があります。"},
	"until":        {"Only whole journal files can be applied. Asked for: %s. The nearest boundary before it is the end of %s, written to last at %s.", "ジャーナルはファイル単位でのみ適用できます。指定時刻: %s。それ以前で最も近い境界は、%s の終わり(最終書き込み %s)です。"},
	"until.next":   {" The next one, %s, goes on to %s.", "次のファイル %s は %s までです。"},

	"gap":          {"Journal files between %s and %s are missing: the databases do not come to what %[2]s and later ones have.", "%s と %s の間のジャーナル・ファイルがありません。%[2]s 以降の内容は適用されません。"},
	"gap.instance": {"The repository has no journal files between %s and %s: the instance itself must still have them. If it has not, end at %[1]s, with `--until '%[3]s'`, or restore with `--no-journals`.", "%s と %s の間のジャーナル・ファイルはリポジトリにありません。インスタンス自身に残っている必要があります。残っていない場合は、%[1]s で終える(`--until '%[3]s'`)か、`--no-journals` でリストアします。"},
	"other":        {"The instance has begun anew with its journals: %[2]s, written to last at %[3]s, is not of the row of files before it. What was written since does not follow this set, and is not applied: %[1]s is the last.", "インスタンスのジャーナルは途中から新しく始まっています。%[2]s(最終書き込み %[3]s)は、それ以前のファイルに続くものではありません。それ以降の内容はこのセットに続くものではないため適用されず、%[1]s が最後になります。"},
	"lost":         {"After %s the instance's `journal.log` names %s, which is not there: what that has is not applied.", "インスタンスの `journal.log` には %s の後に %s がありますが、そのファイルは見つかりません。その内容は適用されません。"},
	"joined":       {"All journal files from %s up to the current one, which the line of `@@JRN` names first, must be there: in the set, in the archive (`journals/` of the mount), or in the directories that the line names then. If one is missing, stop here: end before it, with `--until`, or restore with `--no-journals`.", "%s から現在のファイル(`@@JRN` の行の最初の値)までのすべてのジャーナル・ファイルが、セット、アーカイブ(マウントの `journals/`)、またはその行に続くディレクトリのいずれかにある必要があります。欠けている場合はここで中止し、`--until` でその前までにするか、`--no-journals` でリストアします。"},

	"step.look":   {"See whether it can be done; nothing is changed", "実行可能かどうかの確認(変更なし)"},
	"why.look":    {"Which instance is it, and what are its databases?", "インスタンスとデータベースの状態を確認してください。"},
	"expect.look": {"`@@MGR|` with the manager directory, `@@MIR|0|0` if it is in no mirror, and for each database `@@ST|number|mounted|read-only|mirrored|encrypted|block size`, or `none` where there is none yet.", "`@@MGR|` にマネージャ・ディレクトリ、ミラーのメンバでなければ `@@MIR|0|0`、各データベースについて `@@ST|番号|マウント|読み取り専用|ミラー|暗号化|ブロック・サイズ`(まだ存在しない場合は `none`)が表示されること。"},
	"state.look":  {"Nothing was changed", "何も変更されていません"},

	"step.wij":  {"Move the write image journal aside", "ライト・イメージ・ジャーナル(WIJ)の退避"},
	"why.wij":   {"A WIJ of the time before would be written into the restored databases at the next start, and damage them. Move it, do not remove it. Where it is:", "以前の WIJ が残っていると、次回の起動時にリストアしたデータベースへ書き込まれ、データベースが破損します。WIJ は削除せず、移動してください。WIJ の場所の確認:"},
	"wij.where": {"If `wijlast=` names a directory, it is there; if it is empty, in the manager directory, %s. Here `WIJ` is where it was at the time of the backup, which has to do if that file is lost; if it is another one, correct it, without a slash at its end:", "`wijlast=` にディレクトリが指定されていれば WIJ はそこに、空であればマネージャ・ディレクトリ(%s)にあります。次の `WIJ` は、バックアップ時の場所です(上記のファイルが失われている場合は、この場所を使用します)。異なる場合は、実際のディレクトリ(末尾のスラッシュなし)に修正してください:"},
	"wij.none":  {"The block ends with `OK` if a WIJ was moved, now or before; what was moved before stays. If it finds none, look whether `WIJ` is right. Only if `%s` is in neither place, go on all the same.", "WIJ が退避済みであれば(以前に退避した場合も)、ブロックは `OK` で終了します。以前に退避した WIJ は上書きされません。WIJ が見つからない場合は、`WIJ` の値が正しいか確認してください。`%s` がどちらの場所にもない場合に限り、そのまま次へ進んでください。"},
	"state.wij": {"The databases are as they were", "データベースは元のままです"},

	"step.prepare":  {"Copy out what the instance has to read", "インスタンスが読むファイルの取り出し"},
	"why.prepare":   {"The incremental, and the journal files of the set with a copy of `journal.log`. The instance's own `journal.log` is never changed.", "インクリメンタル・バックアップと、セットのジャーナル・ファイルおよび `journal.log` の写しをコピーしてください。インスタンス自身の `journal.log` は変更しません。"},
	"state.prepare": {"The databases are as they were", "データベースは元のままです"},

	"step.dismount":   {"Dismount", "ディスマウント"},
	"why.dismount":    {"Keep everybody out from here on.", "ここから先は、誰もデータベースを使用しないようにしてください。"},
	"expect.dismount": {"`@@DM|number|1` (or `none`) for each database, then `@@ST|number|0|…` (or `none`).", "各データベースについて `@@DM|番号|1`(または `none`)、続いて `@@ST|番号|0|…`(または `none`)が表示されること。"},
	"state.dismount":  {"Some of the databases may be dismounted; none was written to", "一部のデータベースがディスマウントされている可能性があります。書き込みは行われていません"},

	"step.copy":  {"Put the dirty copies in their places", "ダーティ・コピーの配置"},
	"why.copy":   {"Only blocks that differ are written; times and sizes of the files are not relied on. A lock file that is left over would make the database read-only.", "異なるデータベース・ブロックだけが書き込まれます(ファイルの日時やサイズでは判断しません)。ロック・ファイルが残っていると、データベースが読み取り専用でマウントされるため、削除します。"},
	"state.copy": {"The databases are dismounted, and overwritten in part or not at all: they cannot be used", "データベースはディスマウントされています。上書きは途中まで、またはまだ行われていません。データベースは使用できません"},

	"step.define":   {"Add the databases to the configuration", "データベースの構成への追加"},
	"why.define":    {"Only if they are to stay. A database need not be in the configuration to be restored.", "データベースを残しておく場合のみ必要です。リストアのためだけなら、構成への追加は不要です。"},
	"expect.define": {"`@@DEF|number|1|directory` for each database.", "各データベースについて `@@DEF|番号|1|ディレクトリ` が表示されること。"},
	"state.define":  {"The dirty copies are in their places, not mounted: they cannot be used", "ダーティ・コピーは配置済みですが、マウントされていません。データベースは使用できません"},

	"step.mount":   {"Mount", "マウント"},
	"why.mount":    {"Mounted for writing, and used by nobody.", "書き込み可能な状態でマウントしてください。まだ誰も使用しないようにしてください。"},
	"expect.mount": {"`@@MT|number|1` for each database, then `@@ST|number|1|0|…`: mounted, and not read-only.", "各データベースについて `@@MT|番号|1`、続いて `@@ST|番号|1|0|…`(マウント済みで、読み取り専用でない)が表示されること。"},
	"state.mount":  {"The dirty copies are in their places: the databases are damaged and cannot be used", "ダーティ・コピーは配置済みです。データベースは破損した状態であり、使用できません"},

	"step.apply":   {"Apply the incremental", "インクリメンタル・バックアップの適用"},
	"why.apply":    {"To exactly these directories. `^DBREST` deletes the list when it has finished; the copy stays. Between the copy and this step nothing may have changed.", "リストにあるディレクトリだけに適用します。`^DBREST` は終了時にリストを削除しますが、リストの写しは残ります。ダーティ・コピーの配置からこのステップまでの間に、データベースが変更されていてはいけません。"},
	"expect.apply": {"For each database `***Restoring …` with `… blocks restored …` and `… (Mounted)`, and `@@REST|` with a number that is not negative (1, presumably: the number of success is lost in all public copies of the manual).", "各データベースについて `***Restoring …`、`… blocks restored …`、`… (Mounted)` が表示され、`@@REST|` に 0 以上の数が表示されること(おそらく 1 です。公開されているマニュアルの写しでは、成功時の値が欠落しています)。"},
	"state.apply":  {"The incremental is applied in part, or not at all: the databases are damaged and cannot be used. The copy has to be put back before it is applied again", "インクリメンタル・バックアップは途中まで適用されたか、まだ適用されていません。データベースは破損した状態であり、使用できません。再度適用する前に、ダーティ・コピーを配置し直す必要があります"},

	"step.journals":   {"Apply the journals", "ジャーナルの適用"},
	"why.journals":    {"From the required file on, of exactly these databases, and roll back what was not finished at the end. Each line does nothing if one before it failed.", "必須のファイルから順に、これらのデータベースだけに適用し、最後に未完了のトランザクションをロールバックします。前の行が失敗した場合、以降の行は何もしません。"},
	"expect.journals": {"`@@JCHK|1|` and `@@JRUN|1|`, and the databases under `The following databases have been updated:`, but for those of which the journals had no updates.", "`@@JCHK|1|` と `@@JRUN|1|` が表示され、`The following databases have been updated:` の下にデータベースが表示されること(ジャーナルに更新がないデータベースは表示されません)。"},
	"state.journals":  {"Copy and incremental are in place, the journals are not, or in part: the databases may hold half-done transactions. Applying the journals again does no harm", "ダーティ・コピーとインクリメンタル・バックアップは適用済みですが、ジャーナルは未適用または途中までです。データベースに未完了のトランザクションが含まれている可能性があります。ジャーナルは再度適用しても問題ありません"},

	"step.integrity":   {"Check the integrity", "整合性チェック"},
	"why.integrity":    {"Only after this may anybody use the databases.", "これが終わるまで、誰もデータベースを使用しないようにしてください。"},
	"expect.integrity": {"`@@INT|number|1|` for each database.", "各データベースについて `@@INT|番号|1|` が表示されること。"},
	"state.integrity":  {"Everything is applied, but the databases are not proved to be sound", "すべて適用されましたが、データベースの整合性は確認されていません"},

	"step.release":   {"Let the second instance go of the databases", "2 つ目のインスタンスからの切り離し"},
	"why.release":    {"Dismount them in the second instance, or stop that instance. Then the block below must find no lock file: it shows one that is there, and ends without `OK`.", "2 つ目のインスタンスでディスマウントするか、そのインスタンスを停止します。その後、次のブロックでロック・ファイルがないことを確認してください。残っている場合、ブロックはそれを表示し、`OK` を表示せずに終了します。"},
	"expect.release": {"`@@DM|number|1` (or `none`) for each database, then `@@ST|number|0|…` or `none`.", "各データベースについて `@@DM|番号|1`(または `none`)、続いて `@@ST|番号|0|…`(または `none`)が表示されること。"},
	"state.release":  {"The databases are restored, and still mounted in the second instance: the instance must not be started yet", "データベースは復元済みですが、2 つ目のインスタンスにマウントされたままです。元のインスタンスはまだ起動しないでください"},

	"step.start":  {"Start the instance without WIJ and journal recovery", "WIJ とジャーナル・リカバリなしでのインスタンス起動"},
	"why.start":   {"The WIJ is aside. Choose the name of a user that does not exist yet, and a password, and write them behind the `=`, without commas. Both are for this start only:", "WIJ は退避済みです。まだ存在しないユーザ名とパスワードを決め、`=` の後に入力してください(カンマは使用できません)。どちらもこの起動の間だけ有効です:"},
	"start.do":    {"Then, as root or as the owner:", "次に、root またはインスタンスの所有者として実行してください:"},
	"state.start": {"The databases are restored; the instance is not started, or not fully", "データベースは復元済みです。インスタンスは起動していないか、完全には起動していません"},
	"sturecov": {
		"If the block ends with `OK`, go on with the next step. Usually it does not, as the instance does not come fully up by itself: the information for the journal recovery was in the WIJ. `messages.log` says so then. Enter with `%s`, and type:",
		"ブロックが `OK` で終了した場合は、次のステップへ進んでください。通常は、ジャーナル・リカバリの情報が WIJ にあったため、インスタンスは自動的には完全に起動せず、ブロックは途中で終了します(`messages.log` に記録されます)。その場合は `%s` で入り、次のとおり入力してください:",
	},
	"sturecov.do": {
		"Choose **8** (reset system so journal is not restored at startup), then **9**, which says how the instance is shut down. Leave the menu, and the session with `halt`; shut the instance down as it was said; then paste the block with `%s start` again. This is only right here, where the journals were applied already.",
		"メニューで **8**(起動時にジャーナルをリストアしないよう設定)、続いて **9**(シャットダウン方法の表示)を選んでください。メニューを終了し、`halt` でセッションを終了し、表示された方法でインスタンスをシャットダウンした後、`%s start` を含むブロックを再度貼り付けてください。この操作が正しいのは、ジャーナルを適用済みであるこの場合だけです。",
	},

	"started": {"The instance was started by somebody else, and may have changed its databases: they have to be restored again", "インスタンスが別途起動され、データベースが変更された可能性があります。もう一度リストアする必要があります"},

	"step.validate":   {"Look at the databases in the instance", "インスタンスでのデータベースの確認"},
	"why.validate":    {"All are mounted for writing. The session asks for the user and the password of this start.", "すべてのデータベースが書き込み可能な状態でマウントされていることを確認してください。セッションでは、この起動で指定したユーザ名とパスワードの入力を求められます。"},
	"expect.validate": {"`@@ST|number|1|0|…` for each database.", "各データベースについて `@@ST|番号|1|0|…` が表示されること。"},
	"state.validate":  {"The databases are restored; the instance is up in maintenance mode", "データベースは復元済みです。インスタンスはメンテナンス・モードで稼働しています"},

	"step.normal":   {"Start it as always", "通常の起動"},
	"why.normal":    {"Stop it, and start it without EmergencyId.", "インスタンスを停止し、EmergencyId なしで起動してください。"},
	"expect.normal": {"`@@ST|number|1|0|…` for each database.", "各データベースについて `@@ST|番号|1|0|…` が表示されること。"},
	"state.normal":  {"The databases are restored; the instance may be down", "データベースは復元済みです。インスタンスは停止している可能性があります"},

	"step.remove":   {"Remove what the drill restored", "予行演習で復元したものの削除"},
	"why.remove":    {"It was a rehearsal.", "予行演習のため、復元したものを削除してください。"},
	"expect.remove": {"`@@DM|number|1` (or `none`) for each database, then `@@ST|number|0|…` or `none`.", "各データベースについて `@@DM|番号|1`(または `none`)、続いて `@@ST|番号|0|…`(または `none`)が表示されること。"},
	"drilled":       {"The originals were not touched, and the drill's copies are removed", "元のデータベースには触れておらず、予行演習のコピーは削除されました"},
	"state.remove":  {"The drill's copies may still be mounted, or lie in their directory", "予行演習のコピーがマウントされたまま、またはディレクトリに残っている可能性があります"},
}
