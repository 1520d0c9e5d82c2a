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
	"generated":    {"This run-book was made for this very set: paths, names and statements are the real ones. It is what the command `datfs restore iris` runs, step by step.", "この手順書は、このセット専用に作成されたものです。パス、名前、ステートメントはすべて実際のものです。内容は、コマンド `datfs restore iris` が実行するものとステップごとに同じです。"},
	"unverified":   {"No InterSystems instance was at hand when datfs was written: all of this follows the manuals and published examples. Rehearse it (`datfs drill`) before you need it.", "datfs の開発時には InterSystems のインスタンスを利用できませんでした。内容はすべてマニュアルと公開されている例に基づいています。必要になる前に、必ず予行演習(`datfs drill`)を行ってください。"},
	"facts":        {"The set", "セットの内容"},
	"fact.product": {"product", "製品"},
	"fact.host":    {"host", "ホスト"},
	"fact.manager": {"manager directory", "マネージャ・ディレクトリ"},
	"fact.time":    {"backup", "バックアップ日時"},
	"fact.inc":     {"incremental", "インクリメンタル・バックアップ"},
	"fact.first":   {"first journal file (required)", "最初のジャーナル・ファイル(必須)"},
	"fact.last":    {"last journal file", "最後のジャーナル・ファイル"},
	"fact.current": {"the current one of the instance", "インスタンスの現在のファイル"},
	"fact.reaches": {"brings the databases to", "データベースが復元される時点"},
	"fact.now":     {"the moment of the restore", "リストアを実行した時点"},
	"fact.offset":  {"marker of the backup", "バックアップのマーカー"},
	"table":        {"| | database | directory in the set | restored to |", "| | データベース | セット内のディレクトリ | リストア先 |"},
	"dirty":        {"The files below `databases/` are *dirty* copies: they were copied while in use and are DAMAGED until the incremental is applied. They are consistent only when the journals are applied too. Nobody may use a database before the last step.", "`databases/` 以下のファイルは**ダーティ・コピー**です。使用中にコピーされたため、インクリメンタル・バックアップを適用するまでは**破損した状態**です。さらにジャーナルを適用して初めて整合性が取れます。最後のステップが終わるまで、誰もデータベースを使用してはいけません。"},
	"encrypted":    {"Encrypted: %s. The key must be active. The incremental holds their content in the clear.", "暗号化データベース: %s。キーがアクティブになっている必要があります。インクリメンタル・バックアップの内容は暗号化されていません。"},
	"mirrored":     {"Mirrored: %s. `^DBREST` refuses an active mirrored database on the primary; elsewhere it must be activated in a mirror, or removed from it, before the incremental.", "ミラー・データベース: %s。`^DBREST` はプライマリ上のアクティブなミラー・データベースのリストアを拒否します。別のシステムでは、インクリメンタル・バックアップを適用する前に、ミラーでアクティブ化するか、ミラーから削除する必要があります。"},
	"unjournaled":  {"Not journaled: %s. They come to the moment of the backup only.", "ジャーナル対象外: %s。バックアップ時点までしか復元されません。"},
	"problems":     {"What is to be known of this set:", "このセットについての注意事項:"},

	"ways":           {"Ways back. Choose one:", "復元方法。いずれかを選んでください。"},
	"way.databases":  {"One database, or some, into the running instance", "稼働中のインスタンスへ、1 つまたは複数のデータベースを戻す"},
	"way.everything": {"Everything, while the instance is down", "インスタンスを停止した状態で、すべてを戻す"},
	"way.elsewhere":  {"To another directory, or another server", "別のディレクトリ、または別のサーバへ戻す"},
	"why.databases": {
		"The instance is up; start it first if it is not, preferably in maintenance mode, so that the recovery of all other databases is done. If it does not start because of the damaged database, rename that file and take \"mount required at startup\" from the database. If it was started in maintenance mode, stop it at the end and start it as always. The write image journal (WIJ) is left alone. Leave out the lines of databases that are not to be restored: `datfs runbook --database NAME %s` prints this for some only.",
		"インスタンスが稼働している必要があります。停止している場合は、先に(できればメンテナンス・モードで)起動し、他のデータベースのリカバリを完了させてください。破損したデータベースが原因で起動できない場合は、そのファイルの名前を変更し、「起動時にマウントが必要」の設定を外します。メンテナンス・モードで起動した場合は、最後に停止し、通常どおり起動してください。ライト・イメージ・ジャーナル(WIJ)には触れません。戻さないデータベースの行は省いてください。`datfs runbook --database 名前 %s` で必要なデータベースだけの手順書を表示できます。",
	},
	"system": {
		"%[1]s is not among them: the manual restores it to another directory (`datfs runbook --redirect %[1]s=DIR %[2]s`), and puts it in its place when the instance is down.",
		"%[1]s は含まれていません。マニュアルでは、別のディレクトリへリストアし(`datfs runbook --redirect %[1]s=ディレクトリ %[2]s`)、インスタンスの停止後に元の場所に置きます。",
	},
	"why.everything": {
		"The instance is down and is not started before all steps are done. A second instance, with another name and another directory on the same machine, applies the incremental and the journals; it needs no definitions for these databases, and no application runs in it. What the set does not hold must be there already: the installation, IRISLIB and IRISTEMP, the configuration (a copy is in `configuration/`). (An older procedure is in circulation: rename the WIJ, start the product, restore in place. The manual's current one, followed here, does not start the instance on damaged databases, where every process that starts with it could write to them before the incremental is applied.)",
		"インスタンスは停止しており、すべてのステップが終わるまで起動しません。同じマシン上の、名前とディレクトリの異なる 2 つ目のインスタンスが、インクリメンタルとジャーナルを適用します。これらのデータベースの構成定義は不要で、アプリケーションは動かしません。セットに含まれないもの(インストール環境、IRISLIB、IRISTEMP、構成ファイル。構成ファイルの写しは `configuration/` にあります)は、あらかじめ用意されている必要があります。(WIJ の名前を変更して製品を起動し、その場でリストアするという古い手順も出回っていますが、ここでは現在のマニュアルの手順に従います。破損したままのデータベースでインスタンスを起動すると、インクリメンタルの適用前に、起動したプロセスが書き込む恐れがあるためです。)",
	},
	"why.elsewhere": {
		"Into an instance that is up, of this or of another system. On another system: the same character width, a fitting locale, the same byte order, and the encryption key active if there is one. Never put another system's IRISSYS (CACHESYS) in the place of an instance's own. The directories below are examples: `datfs runbook --to DIR %s` prints this with yours.",
		"同じシステムまたは別のシステムの、稼働中のインスタンスへ戻します。別のシステムの場合は、文字幅(8 ビット/Unicode)が同じで、ロケールが適合し、バイト・オーダーが同じであること、暗号化している場合はキーがアクティブであることが必要です。別のシステムの IRISSYS(CACHESYS)を、インスタンス自身のものと置き換えてはいけません。以下のディレクトリは例です。`datfs runbook --to ディレクトリ %s` で実際のディレクトリの手順書を表示できます。",
	},
	"command":   {"With datfs, all of it in one command:", "datfs なら 1 つのコマンドで実行できます:"},
	"byhand":    {"By hand:", "手作業の場合:"},
	"setdir":    {"As root, or as the instance's owner. `SET` is the directory of this set in the mount, which the instance need not be able to read; `WORK` is a directory that it can write to, and stands in the statements below as well:", "root、またはインスタンスの所有者として実行します。`SET` はマウント内のこのセットのディレクトリです(インスタンスから読める必要はありません)。`WORK` はインスタンスが書き込めるディレクトリで、以下のステートメントにも同じパスが含まれています:"},
	"terminal":  {"In a session of the instance, `%s`:", "インスタンスのセッション(`%s`)で:"},
	"expect":    {"Expect: ", "期待される応答: "},
	"otherwise": {"If it ends here: ", "このステップで中断した場合: "},
	"down":      {"It must be down, and stay so:", "インスタンスは停止しており、停止したままでなければなりません:"},
	"stop.mark": {".", "。"},
	"file":      {"The list of directories:", "ディレクトリのリスト:"},
	"unused":    {"No process may have the files open; this must print nothing:", "どのプロセスもファイルを開いていないことを確認します。次のコマンドで何も表示されてはいけません:"},
	"survived":  {"If journal files that the instance wrote after the backup are still there, copy them and its own `journal.log` into \"$WORK\"/journals as well, and give the newest of them as `LastFile` below: datfs does so by itself.", "バックアップ後にインスタンスが書き込んだジャーナル・ファイルが残っている場合は、それらとインスタンス自身の `journal.log` も \"$WORK\"/journals にコピーし、以下の `LastFile` に最新のファイルを指定します(datfs は自動的に行います)。"},
	"stop":      {"Stop at the first step that does not answer as it should: an error trap is a line that begins with `@@ERR`. End each session with `halt`.", "期待どおりの応答がないステップがあれば、そこで中止してください。エラー・トラップは `@@ERR` で始まる行です。各セッションは `halt` で終了します。"},
	"after":     {"Afterwards", "リストア後"},
	"after.text": {
		"Take a new backup soon: incremental backups that others take of this instance build on databases that are no more. Check the application. Remove the directory `WORK`: the incremental in it is not encrypted. Keep this set until a later one is validated.",
		"早めに新しいバックアップを取得してください。このインスタンスで別途取得しているインクリメンタル・バックアップは、リストア前のデータベースを前提としています。アプリケーションを確認してください。ディレクトリ `WORK` は削除してください(その中のインクリメンタル・バックアップは暗号化されていません)。後のセットが検証されるまで、このセットを保管してください。",
	},
	"after.wij":    {"The WIJ that was moved aside may be removed when the databases have proved good.", "退避した WIJ は、データベースが正常であることを確認した後に削除できます。"},
	"after.mirror": {"A mirrored database of an async member has to be activated when the mirror has started.", "非同期メンバのミラー・データベースは、ミラーの起動後にアクティブ化する必要があります。"},
	"until":        {"Only whole journal files can be applied. Asked for: %s. The nearest boundary before it is the end of %s, written to last at %s.", "ジャーナルはファイル単位でのみ適用できます。指定時刻: %s。それ以前で最も近い境界は、%s の終わり(最終書き込み %s)です。"},
	"until.next":   {" The next one, %s, goes on to %s.", "次のファイル %s は %s までです。"},

	"gap":          {"Journal files between %s and %s are missing: the databases do not come to what %[2]s and later ones have.", "%s と %s の間のジャーナル・ファイルがありません。%[2]s 以降の内容は適用されません。"},
	"gap.instance": {"The repository has no journal files between %s and %s: the instance itself must still have them. If it has not, end at %[1]s, with `--until '%[3]s'`, or restore with `--no-journals`.", "%s と %s の間のジャーナル・ファイルはリポジトリにありません。インスタンス自身に残っている必要があります。残っていない場合は、%[1]s で終える(`--until '%[3]s'`)か、`--no-journals` でリストアします。"},
	"other":        {"The instance has begun anew with its journals: %[2]s, written to last at %[3]s, is another file than the one before of its name. What was written since does not follow this set, and is not applied: %[1]s is the last.", "インスタンスのジャーナルは途中から新しく始まっています。%[2]s(最終書き込み %[3]s)は、以前の同名のファイルとは別のものです。それ以降の内容はこのセットに続くものではないため適用されず、%[1]s が最後になります。"},
	"lost":         {"After %s the instance's `journal.log` names %s, which is not there: what that has is not applied.", "インスタンスの `journal.log` には %s の後に %s がありますが、そのファイルは見つかりません。その内容は適用されません。"},
	"joined":       {"All journal files from %s up to the current one, which the line of `@@JRN` names first, must be there: in the set, in the archive (`journals/` of the mount), or in the directories that the line names then. If one is missing, stop here: end before it, with `--until`, or restore with `--no-journals`.", "%s から現在のファイル(`@@JRN` の行の最初の値)までのすべてのジャーナル・ファイルが、セット、アーカイブ(マウントの `journals/`)、またはその行に続くディレクトリのいずれかにある必要があります。欠けている場合はここで中止し、`--until` でその前までにするか、`--no-journals` でリストアします。"},

	"step.look":   {"See whether it can be done; nothing is changed", "実行可能かどうかの確認(変更なし)"},
	"why.look":    {"Which instance is it, and what are its databases?", "インスタンスとデータベースの状態を確認します。"},
	"expect.look": {"`@@MGR|` with the manager directory, `@@MIR|0|0` if it is in no mirror, and for each database `@@ST|number|mounted|read-only|mirrored|encrypted|block size`, or `none` where there is none yet.", "`@@MGR|` にマネージャ・ディレクトリ、ミラーのメンバでなければ `@@MIR|0|0`、各データベースに `@@ST|番号|マウント|読み取り専用|ミラー|暗号化|ブロック・サイズ`(まだ存在しない場合は `none`)。"},
	"state.look":  {"Nothing was changed", "何も変更されていません"},

	"step.wij":  {"Move the write image journal aside", "ライト・イメージ・ジャーナル(WIJ)の退避"},
	"why.wij":   {"A WIJ of the time before would be written into the restored databases at the next start, and damage them. Move it, do not remove it. If `wijlast=` names a directory, it is there; if it is empty, in the manager directory.", "以前の WIJ が残っていると、次回の起動時にリストアしたデータベースへ書き込まれ、破損します。削除せず、移動してください。WIJ は、`wijlast=` にディレクトリがあればそこに、空であればマネージャ・ディレクトリにあります。"},
	"state.wij": {"The databases are as they were", "データベースは元のままです"},

	"step.prepare":  {"Copy out what the instance has to read", "インスタンスが読むファイルの取り出し"},
	"why.prepare":   {"The incremental, and the journal files of the set with a copy of `journal.log`. The instance's own `journal.log` is never changed.", "インクリメンタルと、セットのジャーナル・ファイルおよび `journal.log` のコピーです。インスタンス自身の `journal.log` は変更しません。"},
	"state.prepare": {"The databases are as they were", "データベースは元のままです"},

	"step.dismount":   {"Dismount", "ディスマウント"},
	"why.dismount":    {"Keep everybody out from here on.", "ここから先は、誰もデータベースを使用しないようにしてください。"},
	"expect.dismount": {"`@@DM|number|1` (or `none`) for each database, then `@@ST|number|0|…`.", "各データベースに `@@DM|番号|1`(または `none`)、続いて `@@ST|番号|0|…`。"},
	"state.dismount":  {"Some of the databases may be dismounted; none was written to", "一部のデータベースがディスマウントされている可能性があります。書き込みは行われていません"},

	"step.copy":  {"Put the dirty copies in their places", "ダーティ・コピーの配置"},
	"why.copy":   {"Only blocks that differ are written; times and sizes of the files are not relied on. A lock file that is left over would make the database read-only.", "異なるブロックだけが書き込まれます(ファイルの日時やサイズでは判断しません)。ロック・ファイルが残っていると、データベースが読み取り専用でマウントされます。"},
	"state.copy": {"The databases are dismounted, and overwritten in part or not at all: they cannot be used", "データベースはディスマウントされ、一部が上書きされているか、まだ上書きされていません。使用できません"},

	"step.define":   {"Add the databases to the configuration", "データベースの構成への追加"},
	"why.define":    {"Only if they are to stay. A database need not be in the configuration to be restored.", "残しておく場合のみ必要です。リストアのためだけなら構成への追加は不要です。"},
	"expect.define": {"`@@DEF|number|1|directory` for each database.", "各データベースに `@@DEF|番号|1|ディレクトリ`。"},
	"state.define":  {"The dirty copies are in their places, not mounted: they cannot be used", "ダーティ・コピーが配置され、マウントされていません。使用できません"},

	"step.mount":   {"Mount", "マウント"},
	"why.mount":    {"Mounted for writing, and used by nobody.", "書き込み可能な状態でマウントします。まだ誰も使用してはいけません。"},
	"expect.mount": {"`@@MT|number|1` for each database, then `@@ST|number|1|0|…`: mounted, and not read-only.", "各データベースに `@@MT|番号|1`、続いて `@@ST|番号|1|0|…`(マウント済み、読み取り専用でない)。"},
	"state.mount":  {"The dirty copies are in their places: the databases are damaged and cannot be used", "ダーティ・コピーが配置されています。データベースは破損した状態で、使用できません"},

	"step.apply":   {"Apply the incremental", "インクリメンタル・バックアップの適用"},
	"why.apply":    {"To exactly these directories. `^DBREST` deletes the list when it has finished; the copy stays. Between the copy and this step nothing may have changed.", "これらのディレクトリだけに適用します。`^DBREST` は終了時にリストを削除しますが、コピーは残ります。コピーの配置からこのステップまでの間に、何も変更されてはいけません。"},
	"expect.apply": {"For each database `***Restoring …` with `… blocks restored …` and `… (Mounted)`, and `@@REST|` with a number that is not negative (1, presumably: the number of success is lost in all public copies of the manual).", "各データベースに `***Restoring …`、`… blocks restored …`、`… (Mounted)` が表示され、`@@REST|` が負でない数であること(おそらく 1。公開されているマニュアルの写しでは成功時の値が欠落しています)。"},
	"state.apply":  {"The incremental is applied in part, or not at all: the databases are damaged and cannot be used. The copy has to be put back before it is applied again", "インクリメンタルは一部しか、またはまったく適用されていません。データベースは破損した状態で、使用できません。再適用の前にコピーを配置し直す必要があります"},

	"step.journals":   {"Apply the journals", "ジャーナルの適用"},
	"why.journals":    {"From the required file on, of exactly these databases, and roll back what was not finished at the end. Each line does nothing if one before it failed.", "必須のファイルから順に、これらのデータベースだけに適用し、最後に未完了のトランザクションをロールバックします。前の行が失敗した場合、以降の行は何もしません。"},
	"expect.journals": {"`@@JCHK|1|` and `@@JRUN|1|`, and the databases under `The following databases have been updated:`, but for those of which the journals had no updates.", "`@@JCHK|1|` と `@@JRUN|1|`、および `The following databases have been updated:` にデータベースが表示されること(ジャーナルに更新がないデータベースは表示されません)。"},
	"state.journals":  {"Copy and incremental are in place, the journals are not, or in part: the databases may hold half-done transactions. Applying the journals again does no harm", "コピーとインクリメンタルは適用済みですが、ジャーナルは未適用または一部のみです。途中のトランザクションが含まれている可能性があります。ジャーナルを再度適用しても問題ありません"},

	"step.integrity":   {"Check the integrity", "整合性チェック"},
	"why.integrity":    {"Only after this may anybody use the databases.", "これが終わるまで、誰もデータベースを使用してはいけません。"},
	"expect.integrity": {"`@@INT|number|1|` for each database.", "各データベースに `@@INT|番号|1|`。"},
	"state.integrity":  {"Everything is applied, but the databases are not proved to be sound", "すべて適用されましたが、データベースの健全性は確認されていません"},

	"step.release":   {"Let the second instance go of the databases", "2 つ目のインスタンスからの切り離し"},
	"why.release":    {"Dismount them there, or stop it. The last command must say of each file that it does not exist.", "そこでディスマウントするか、インスタンスを停止します。最後のコマンドで、どのファイルも存在しないと表示されることを確認してください。"},
	"expect.release": {"`@@DM|number|1` (or `none`) for each database, then `@@ST|number|0|…` or `none`.", "各データベースに `@@DM|番号|1`(または `none`)、続いて `@@ST|番号|0|…` または `none`。"},
	"state.release":  {"The databases are restored, and still mounted in the second instance: the instance must not be started yet", "データベースは復元済みですが、2 つ目のインスタンスにマウントされたままです。まだインスタンスを起動してはいけません"},

	"step.start":  {"Start the instance without WIJ and journal recovery", "WIJ とジャーナル・リカバリなしでのインスタンス起動"},
	"why.start":   {"The WIJ is aside. Name a user that does not exist yet, and any password: both are for this start only. As root or as the owner.", "WIJ は退避済みです。まだ存在しないユーザ名と任意のパスワードを指定します(この起動の間だけ有効です)。root または所有者として実行します。"},
	"state.start": {"The databases are restored; the instance is not started, or not fully", "データベースは復元済みです。インスタンスは起動していないか、完全には起動していません"},
	"sturecov": {
		"Usually it does not come fully up by itself, because the information for the journal recovery was in the WIJ. Follow `messages.log` then: enter with `%[1]s terminal %[2]s -B`, `do ^STURECOV`, and choose **8** (reset system so journal is not restored at startup), then **9** for how to shut down; then start it again in the same way. This is only right here, where the journals were applied already.",
		"通常、ジャーナル・リカバリの情報が WIJ にあったため、自動的には完全に起動しません。その場合は `messages.log` に従い、`%[1]s terminal %[2]s -B` で入り、`do ^STURECOV` を実行して **8**(起動時にジャーナルをリストアしないよう設定)、続いて **9**(シャットダウン方法の表示)を選び、同じ方法で再度起動します。これが正しいのは、ジャーナルを適用済みのこの場合だけです。",
	},

	"step.validate":   {"Look at the databases in the instance", "インスタンスでのデータベースの確認"},
	"why.validate":    {"All are mounted for writing. The session asks for the user and the password of this start.", "すべてのデータベースが書き込み可能な状態でマウントされていることを確認します。セッションでは、この起動で指定したユーザ名とパスワードの入力を求められます。"},
	"expect.validate": {"`@@ST|number|1|0|…` for each database.", "各データベースに `@@ST|番号|1|0|…`。"},
	"state.validate":  {"The databases are restored; the instance is up in maintenance mode", "データベースは復元済みです。インスタンスはメンテナンス・モードで稼働しています"},

	"step.normal":   {"Start it as always", "通常の起動"},
	"why.normal":    {"Stop it, and start it without EmergencyId.", "停止し、EmergencyId なしで起動します。"},
	"expect.normal": {"`@@ST|number|1|0|…` for each database.", "各データベースに `@@ST|番号|1|0|…`。"},
	"state.normal":  {"The databases are restored; the instance may be down", "データベースは復元済みです。インスタンスは停止している可能性があります"},

	"step.remove":   {"Remove what the drill restored", "予行演習で復元したものの削除"},
	"why.remove":    {"It was a rehearsal.", "予行演習のため、削除します。"},
	"expect.remove": {"`@@DM|number|1` (or `none`) for each database, then `@@ST|number|0|…` or `none`.", "各データベースに `@@DM|番号|1`(または `none`)、続いて `@@ST|番号|0|…` または `none`。"},
	"drilled":       {"The originals were not touched, and the drill's copies are removed", "元のデータベースには触れておらず、予行演習のコピーは削除されました"},
	"state.remove":  {"The drill's copies may still be mounted, or lie in their directory", "予行演習のコピーがマウントされたまま、またはディレクトリに残っている可能性があります"},
}
